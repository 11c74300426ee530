"""Three sessions at once on a real server: no error, and no result of one session in another."""

import pytest

from tests.load import __main__ as load
from tests.load.ground import prepare, server
from tests.load.visitors import Crowd, Outcome, alone, ks

pytestmark = pytest.mark.xdist_group("browser")  # not beside what else starts servers
SESSIONS = 3


def test_sessions_at_once_get_what_each_asked_for_and_nobody_elses(tmp_path):
    ground = prepare(tmp_path, 600, SESSIONS, (), None)
    with server(tmp_path, tmp_path / "store") as (url, _):
        many = Crowd(ground, url, SESSIONS, 1.0, pause=0.02).run()
        single = alone(ground, url, 1, lambda number: ks(number, SESSIONS))
    assert many.wrong == single.wrong == []
    assert len(many.burst) == SESSIONS
    assert len(set(many.shown) & set(single.shown)) > 4
    assert load.compare(single, many) == []


def test_an_answer_that_belongs_to_another_session_is_noticed():
    asked = (590, "PCA", 4, "Cluster")
    single = Outcome([], [], {asked: ("x", "y", "four")}, [])
    assert load.compare(single, Outcome([], [], {asked: ("x", "y", "four")}, [])) == []
    assert len(load.compare(single, Outcome([], [], {asked: ("x", "y", "five")}, []))) == 1
