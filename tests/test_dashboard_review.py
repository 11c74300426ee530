"""The review of suspects through Streamlit's AppTest: the queue, decisions, undo, files, without labels, disputed."""

import numpy as np
import pytest
from test_dashboard import fresh, page, press, settled, texts  # noqa: F401  fresh is a fixture
from test_dashboard_clusters import drawn, frame, mapped, opened, unlabelled

pytestmark = pytest.mark.xdist_group("dashboard")


def ready(at):
    return settled(at, lambda at: any(item.key == "review.undo" for item in at.button))


def test_first():
    at = ready(opened("Suspects"))
    assert not at.exception and not at.error
    print(frame(at, "rank").head())
    print([b.key+'|'+b.label for b in at.button])
    print(texts(at))
    assert 0
