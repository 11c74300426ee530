"""Links and kept views: the same view again, in another session, and nothing from a file that is none."""

import pytest
from pages import APP, TIMEOUT, fresh, metric, page, press, search, select, settled, texts  # noqa: F401  fresh is a fixture
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.xdist_group("dashboard")


def test_a_link_opens_the_same_view_in_a_new_session():
    def value(at, label):
        return next(
            item for item in (*at.sidebar.selectbox, *at.sidebar.slider, *at.radio) if item.label == label
        ).value

    at = AppTest.from_file(str(APP), default_timeout=TIMEOUT).run()
    assert "view" not in at.query_params, "the defaults need no address"
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(7).run()
    select(at, "Colour by").select("Label").run()
    next(item for item in at.sidebar.selectbox if item.label == "Method").select("pca").run()
    link = "".join(at.query_params["view"])
    again = AppTest.from_file(str(APP), default_timeout=TIMEOUT)
    again.query_params["view"] = link
    again.run()
    assert not again.exception
    assert value(again, "k (number of clusters)") == 7
    assert value(again, "Colour by") == "Label"
    assert metric(again, "Expl. variance") is not None and metric(again, "Clusters") == "7"


@pytest.mark.parametrize(
    "values",
    [
        {"map": "nonsense", "dims": 7, "tsne.perplexity": 10_000, "k.0": True, "opacity": -3, "data": "nobody", "color": "<b>"},
        {"tsne.n_iter": 1e9, "panel": "Secrets", "order": 5, "only.12345678": "x", "__class__": "os", "selections": {}},
        {"model.51c2b6f4": {"type": "TrainedClassifier", "config": {"type": "ClassifierConfig", "model": "os:system"},
                            "weights": "/etc/passwd"}, "camera": {"key": 5}, "train.epochs": 1},
        ["a"], "text", 5,
    ],
)  # fmt: skip
def test_a_view_that_cannot_be_opens_the_defaults(values):
    import json
    import zlib
    from base64 import urlsafe_b64encode

    at = AppTest.from_file(str(APP), default_timeout=TIMEOUT)
    at.query_params["view"] = urlsafe_b64encode(zlib.compress(json.dumps(values).encode())).decode()
    at.run()
    assert not at.exception and not at.error
    assert metric(at, "Images") == "5,000" and metric(at, "Clusters") == "10"


def test_addresses_that_are_no_view_are_empty_and_bombs_are_not_unpacked():
    import zlib
    from base64 import urlsafe_b64encode

    from dashboard import sessions

    bomb = urlsafe_b64encode(zlib.compress(b" " * 50_000_000)).decode()
    for text in ("", "!", "aGFsbG8", "x" * 200_000, bomb):
        assert sessions.from_text(text) == {}
    values = {
        "map": "umap",
        "umap.min_dist": 0.25,
        "path": "/ä/<b>",
        "camera": {"key": "a", "x": [0.0, 1.5], "y": [-1, 2]},
    }
    assert sessions.from_text(sessions.to_text(values)) == values


def test_a_view_is_kept_under_a_name_and_opened_again(tmp_path):
    at = search(page().run(), "4999")
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(7).run()
    next(item for item in at.text_input if item.label == "Name").set_value("../odd ones").run()
    press(at, "views.keep")
    assert [path.name for path in (tmp_path / "views").iterdir()] == ["odd ones.json"]
    press(at, "views.keep")
    assert "There is a view 'odd ones' already" in " ".join(item.value for item in at.error).replace("\\", "")
    again = page().run()
    again.session_state["set.color"] = "Label"
    assert metric(again.run(), "Clusters") == "10"
    press(again, "views.open")
    assert metric(again, "Clusters") == "7" and select(again, "Colour by").value == "Cluster"
    assert "1 of 5,000 selected" in texts(again)
    press(again, "views.delete")
    assert not list((tmp_path / "views").iterdir())


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"view": 5}', b"[" * 100_000, b'{"view": {}, "selection": {"bits": "!", "images": "a", "n": 5}}',
     b'{"view": {}, "selection": {"bits": "AAAA", "images": "a", "n": 5}}',
     b'{"view": {}, "selection": {"bits": "AA", "images": 5, "n": 5}}',
     b'{"view": {}, "selection": {"bits": "AA==", "scope": "AAAA", "images": "a", "n": 5}}'],
)  # fmt: skip
def test_a_file_that_is_no_view_is_one_sentence(data):
    from core.errors import ConfigError
    from dashboard import saved

    with pytest.raises(ConfigError, match=r"is not a view|cannot be read|needs 1 bytes"):
        saved.read(data)


def test_every_flipped_bit_of_a_kept_view_is_noticed(tmp_path):
    from core.errors import ConfigError
    from dashboard import saved

    at = page().run()
    next(item for item in at.text_input if item.label == "Name").set_value("few").run()
    press(at, "views.keep")
    (path,) = saved.folder().glob("*.json")
    data = path.read_bytes()
    assert saved.read(data)[0] is not None
    for bit in range(8 * (len(data) - 1)):  # the last is a line's end
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ConfigError):
            saved.read(bytes(flipped))
