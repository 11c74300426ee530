"""Long work in a real server: it outlives tabs and connections, any tab sees and stops it, and no process is left behind."""

import signal
import time
from pathlib import Path

import pytest

from core.store import Store
from tests.browser.helpers import browser_page, new_page, server, settle

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
LEFT_SECONDS = 150  # until a test gives up on a process that should end by itself


def train(page, url):
    """Start a training that takes for ever, and wait until it has completed an epoch."""
    page.goto(f"{url}/train")
    settle(page)
    page.get_by_label("epochs", exact=True).fill("10000")
    page.get_by_label("epochs", exact=True).press("Enter")
    settle(page)
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text("epoch 1", exact=True).wait_for()


def stop_button(page):
    """The page's own button; in its header Streamlit has one of that name, while the page runs."""
    return page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True)


def log(page, last):
    """Open the log of the first job and return its texts, once its last one is there; a heading is drawn before it."""
    page.get_by_text("Log", exact=True).first.click()
    code = page.locator('[data-testid="stCode"]').first
    code.filter(has_text=last).wait_for()
    return [line[10:].strip() for line in code.inner_text().splitlines()]


def test_a_training_outlives_its_tab_and_a_lost_connection_and_another_tab_stops_it(tmp_path):
    with server(tmp_path) as (url, _), browser_page() as first:
        train(first, url)
        browser = first.context.browser
        first.context.close()

        listing, training, lines = new_page(browser), new_page(browser), []
        training.route_web_socket("**/_stcore/stream", lambda line: (line.connect_to_server(), lines.append(line)))
        listing.goto(f"{url}/jobs")
        listing.get_by_text("Running (1)").wait_for()
        listing.get_by_text("batches").first.wait_for()
        training.goto(f"{url}/train")
        stop_button(training).wait_for()
        lines[-1].close()
        settle(training)
        assert listing.get_by_text("Running (1)").is_visible()

        settle(listing)
        stop_button(listing).click()
        listing.get_by_text("Ended (1)").wait_for()
        texts = log(listing, "Stopped.")
        assert texts.index("Training.") < texts.index("Asked to stop.") < texts.index("Stopped.") == len(texts) - 1
        training.reload()
        training.get_by_text("Stopped after").wait_for()
        assert listing.problems == [] and training.problems == []


def children(pid):
    """Return the processes that a process has started and that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
        except OSError:  # it has ended just now
            continue
        if int(parent) == pid and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def alive(pid):
    """Say whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_when_the_server_ends_its_workers_keep_what_they_have_and_end_too(tmp_path, number):
    with server(tmp_path) as (url, process), browser_page() as page:
        train(page, url)
        workers = children(process.pid)
        assert workers
        process.send_signal(number)
        end = time.monotonic() + LEFT_SECONDS
        while process.poll() is None or any(alive(worker) for worker in workers):
            assert time.monotonic() < end, "a process is left behind"
            time.sleep(0.05)
        made = [entry for entry in Store(tmp_path / "store").entries() if entry["stage"] != "seen"]
        assert made, "the epochs that were complete are lost"
