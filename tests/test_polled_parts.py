"""Parts of a page that run again by themselves while the page is still being sent: nothing is missing in between."""

from collections import Counter

import pytest
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.xdist_group("dashboard")


def two_parts():
    import streamlit as st

    from dashboard import door

    door.part(lambda: st.progress(0.5), 0.5)()
    st.text("between")
    with st.container():
        door.part(lambda: st.text("told"), 2.0)()
        st.text("after")


def sent(monkeypatch):
    """Run a page of two such parts and return all that it sends, in order."""
    found = []
    with monkeypatch.context() as patched:
        patched.setattr(ForwardMsgQueue, "_before_enqueue_msg", staticmethod(found.append))
        at = AppTest.from_function(two_parts).run()
    assert not at.exception
    return found


def kept(messages, fragment):
    """Let a part run again before the page has been sent, and return what Streamlit's queue still sends of the page."""
    queue = ForwardMsgQueue()
    for message in messages:
        queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=[fragment])
    return queue.flush()


def missing(messages):
    """Return the places that Streamlit's script cannot draw at: those with nothing before or around them."""
    children, lost = Counter(), []
    for message in messages:
        *around, index = message.metadata.delta_path or [0]
        if message.WhichOneof("type") != "delta" or message.delta.WhichOneof("type") == "new_transient":
            continue
        if index > children[tuple(around)]:
            lost.append((*around, index))
        children[tuple(around)] = max(children[tuple(around)], index + 1)
    return lost


def test_a_part_that_runs_before_the_page_was_sent_leaves_no_gap(monkeypatch):
    messages = sent(monkeypatch)
    fragments = {message.delta.fragment_id for message in messages} - {""}
    assert len(fragments) == 2
    for fragment in fragments:
        still = kept(messages, fragment)
        assert len(still) < len(messages)  # what the part drew is dropped, as it draws that again
        assert missing(still) == []
