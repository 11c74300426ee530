"""Selections, panels, metadata and the views that a link or a file holds, without a browser."""

from pathlib import Path

import numpy as np
import pytest
from pages import APP, TIMEOUT, fresh, metric, page, press, search, select, settled, texts  # noqa: F401  fresh is a fixture

from dashboard import server

pytestmark = pytest.mark.xdist_group("dashboard")


def test_a_selection_is_undone_redone_inverted_and_cleared():
    at = search(page().run(), "4999")
    search(at, "499")
    count = sum("499" in str(i) for i in range(5000))
    assert f"{count} of 5,000 selected" in texts(at)
    press(at, "selection.Invert")
    assert f"{5000 - count:,} of 5,000 selected" in texts(at)
    press(at, "selection.Undo")
    press(at, "selection.Undo")
    assert "1 of 5,000 selected" in texts(at)
    press(at, "selection.Redo")
    assert f"{count} of 5,000 selected" in texts(at)
    press(at, "selection.Clear")
    assert "None of 5,000 images selected" in texts(at)
    assert "selection" not in at.query_params


def test_a_selection_survives_other_clusters_and_a_reload_by_its_address(tmp_path):
    at = search(page().run(), "4999")
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(5).run()
    assert "1 of 5,000 selected" in texts(at)
    key = "".join(at.query_params["selection"])
    again = page()
    again.query_params["selection"] = key
    assert "1 of 5,000 selected" in texts(again.run())
    for wrong in ("0" * 32, "../../etc", key * 40):
        other = page()
        other.query_params["selection"] = wrong
        other.run()
        assert not other.exception and "images selected" in texts(other)


def test_a_selection_of_other_images_is_not_taken_over():
    at = search(page().run(), "4999")
    key = "".join(at.query_params["selection"])
    again = page()
    again.query_params["selection"] = key
    again.session_state["set.data"] = "emoji"
    settled(again.run(), lambda at: "images selected" in texts(at))


def test_groups_and_numbers_select_and_add():
    at = page().run()
    select(at, "By column").select("Label").run()
    next(item for item in at.multiselect if item.label == "is one of").set_value(["3", "5"]).run()
    press(at, "pick.values")
    assert "1,000 of 5,000 selected" in texts(at)
    at.session_state["set.pick.mode"] = "add"
    select(at, "By column").select("Reconstruction error").run()
    low = next(item for item in at.number_input if item.label == "from")
    low.set_value(0.02).run()
    press(at, "pick.values")

    (errors,) = [entry for entry in [server.store().get("latents", key) for key in latents_keys()] if entry]
    labels = np.load(Path(__file__).parents[1] / "assets" / "digits" / "images.npz")["y"]
    expected = int((np.isin(labels, (3, 5)) | (errors.arrays["errors"] >= 0.02)).sum())
    assert f"{expected:,} of 5,000 selected" in texts(at)


def latents_keys():
    """Keys of the digits' latents, which come with the sample."""
    root = Path(__file__).parents[1] / "assets" / "store" / "latents"
    return [path.name for path in root.iterdir() if "digits" in (path / "entry.json").read_text()]


def test_the_table_sorts_all_rows_not_only_those_of_a_page():
    at = page().run()
    at.session_state["set.panel"] = "Table"
    at.run()
    select(at, "Sort all rows by").select("error").run()
    next(item for item in at.toggle if item.label == "Largest first").set_value(True).run()
    (frame,) = [item.value for item in at.dataframe if "error" in item.value]
    assert len(frame) == 500 and frame["error"].is_monotonic_decreasing

    errors = server.store().get("latents", latents_keys()[0]).arrays["errors"]
    np.testing.assert_allclose(frame["error"], np.sort(errors)[::-1][:500])
    assert "Rows 1 to 500 of 5,000 images." in texts(at)


def test_every_panel_has_an_empty_and_a_filled_state():
    at = page().run()
    for name, empty, filled in (
        ("Neighbours", "Select one image or several", "Nearest to 4999, which is left out."),
        ("Walks", "Select two images or more", "Select two images or more"),
    ):
        at.session_state["set.panel"] = name
        assert empty in texts(at.run())
        search(at, "4999")
        assert filled in texts(at)
        press(at, "selection.Clear")
    at.session_state["set.panel"] = "Walks"
    search(at, "499")
    assert "At each step" in texts(at)
    for kind in ("around a cluster", "along a principal direction"):
        select(at, "Walk").select(kind).run()
        assert "At each step" in texts(at) and not at.exception


def test_metadata_colours_the_map_and_is_searched_and_counts_what_does_not_fit(tmp_path):
    at = page().run()
    table = tmp_path / "more.csv"
    rows = [f"{i},{'red' if i % 7 else '<b>blue</b>'},{i / 10}" for i in range(10, 5010)]
    table.write_text("id,colour,score\n" + "\n".join(rows))
    next(item for item in at.sidebar.text_input if item.label == "CSV or Parquet").set_value(str(table)).run()
    assert "4,990 of 5,000 images have a row, by id in column 'id'".replace(",", ",") in texts(at).replace("\\", "")
    assert "10 images without a row" in texts(at) and "10 rows without an image" in texts(at)
    assert {"colour", "score"} <= set(select(at, "Colour by").options)
    search(at, "blue")
    assert f"{len(range(14, 5000, 7))} of 5,000 selected" in texts(at)
    table.write_text("nobody\n1.5\n")
    at.run()
    assert "No column of more.csv names these images" in at.error[0].value.replace("\\", "")


def test_the_views_show_only_what_was_selected_until_all_are_shown_again(tmp_path):
    at = search(page().run(), "499")
    ids = [str(i) for i in range(5000) if "499" in str(i)]
    assert f"{len(ids)} of 5,000 selected" in texts(at)
    press(at, "selection.Only these")
    assert f"None of {len(ids)} shown selected" in texts(at)
    assert f"1 to {len(ids)} of {len(ids)} images" in texts(at)
    press(at, "selection.Invert")
    assert f"{len(ids)} of {len(ids)} shown selected" in texts(at)
    search(at, "1")
    inside = sum("1" in name for name in ids)
    assert f"{inside} of {len(ids)} shown selected" in texts(at), "what is left out is not selected"
    next(item for item in at.text_input if item.label == "Name").set_value("few").run()
    press(at, "views.keep")
    press(at, "selection.Show all")
    assert f"{inside} of 5,000 selected" in texts(at)
    press(at, "selection.Undo")
    assert f"{inside} of {len(ids)} shown selected" in texts(at)
    again = page().run()
    press(again, "views.open")
    assert f"{inside} of {len(ids)} shown selected" in texts(again) and not again.exception


def test_a_file_that_another_session_takes_away_meanwhile_does_not_disturb_a_map(tmp_path):
    from dashboard.scatter import loading

    (tmp_path / "gone.bin").symlink_to(tmp_path / "nowhere")  # listed, and not there when it is looked at
    (tmp_path / "here.bin").write_bytes(b"1")
    loading.drop_old(tmp_path, 10)
    assert (tmp_path / "here.bin").exists()


def test_maps_side_by_side_are_scored_and_tell_who_keeps_company():
    at = page().run()
    box = next(item for item in at.sidebar.multiselect if item.label == "Maps beside this one")
    box.set_value(["map pca", "map kernel-pca"]).run()
    assert not at.exception
    told = [item.value for item in at.caption if "trustworthiness" in item.value]
    assert len(told) == 3 and told[0].startswith("trustworthiness 0.9")
    values = [float(text.split("trustworthiness ")[1].split(",")[0]) for text in told]
    assert values[0] > values[1], "t-SNE keeps neighbours better than PCA"
    assert all("continuity" in text and "neighbours kept" in text for text in told)
    next(item for item in at.toggle if item.label == "Colour by company kept").set_value(True).run()
    assert not at.exception and not at.error


def test_noise_is_called_noise_in_every_panel():
    at = page()
    at.session_state["set.way"] = "own"
    at.session_state["set.cluster.method"] = "HDBSCAN"
    at.session_state["set.on"] = "projection"
    at.session_state["set.hdbscan.min_cluster_size"] = 40
    at.session_state["set.panel"] = "Clusters × labels"
    at.run()
    assert not at.exception and not at.error
    assert metric(at, "Noise").endswith(" %")
    matrix = at.dataframe[0].value
    assert "cluster 0" in matrix.index and matrix.index[-1] == "noise"
    assert int(matrix.to_numpy().sum()) == 5000
    share = matrix.loc["noise"].sum() / 5000
    assert float(metric(at, "Noise").removesuffix(" %")) == pytest.approx(100 * share, abs=0.06)
    for panel in ("Table", "Pictures", "Histograms", "Walks", "Neighbours"):
        at.session_state["set.panel"] = panel
        at.session_state["set.walk.kind"] = "around a cluster"
        at.run()
        assert not at.exception and not at.error, panel
        assert "cluster -1" not in texts(at), panel
        if panel == "Table":
            at.session_state["set.table.by"] = "cluster"
            at.session_state["set.table.down"] = True
            at.run()
            assert list(at.dataframe[0].value["cluster"][:100]) == ["noise"] * 100
            at.session_state["set.table.down"] = False


def test_settings_that_leave_only_noise_are_one_sentence_and_the_map_stays():
    at = page()
    at.session_state["set.map"] = "pca"
    at.run()
    at.session_state["set.way"] = "own"
    at.session_state["set.cluster.method"] = "HDBSCAN"
    at.session_state["set.on"] = "projection"
    at.session_state["set.hdbscan.min_cluster_size"] = 500
    at.run()
    assert not at.exception
    sentence = "HDBSCAN finds no cluster: with min_cluster_size 500 all 5,000 images are noise"
    assert sentence in at.error[0].value.replace("\\", "")
    assert metric(at, "Images") == "5,000" and metric(at, "Clusters") == "10"
