"""Clusters against labels, and the choice of k, through Streamlit's AppTest: with labels, without, stopped, found again."""

import numpy as np
import pytest
from pages import choose, fresh, metric, page, press, settled, texts, tiny  # noqa: F401  fresh is a fixture

from dashboard import server

pytestmark = pytest.mark.xdist_group("dashboard")


def opened(name, at=None):
    """Open a panel, on the digits or on a page that is there."""
    at = page() if at is None else at
    at.session_state["set.panel"] = name
    return at.run()


def frame(at, column):
    """The table that has a column of this name."""
    return next(item.value for item in at.dataframe if column in item.value.columns)


def matrix_frame(at):
    return frame(at, "0")


def unlabelled(tmp_path, n=24):
    """The pictures of `tiny` with no labels."""
    with np.load(tiny(tmp_path, n)) as there:
        np.savez(tmp_path / "bare.npz", x=there["x"])
    return tmp_path / "bare.npz"


def mapped(at, path):
    """Train a model on these images, as the Train page does, and open its map."""
    from core import pipeline
    from core.config import AutoencoderConfig, TrainingConfig
    from core.images import ArraySource
    from core.plans import Plan, TrainSpec
    from dashboard import state

    spec = TrainSpec(AutoencoderConfig(4, 4), TrainingConfig(epochs=1, batch_size=8))
    plan = Plan(ArraySource(str(path)), spec)
    made = pipeline.run(server.store(), plan, "latents")
    at.session_state[f"{state.PREFIX}model.{made.images.value.fingerprint[:8]}"] = spec
    at.session_state["set.map"] = "pca"
    return choose(at, path)


def test_matches_lie_on_the_diagonal_and_both_matchings_are_told():
    from core import matching

    at = opened("Clusters × labels")
    assert not at.exception and not at.error
    cells = matrix_frame(at).to_numpy()
    assert cells.shape == (10, 10) and cells.sum() == 5000
    one = float(metric(at, "Accuracy, one-to-one").split()[0])
    assert one == pytest.approx(100 * np.trace(cells) / 5000, abs=0.06)
    assert float(metric(at, "Accuracy, majority").split()[0]) == pytest.approx(
        100 * cells.max(axis=1).sum() / 5000, abs=0.06
    )
    assert metric(at, "Purity") == f"{cells.max(axis=1).sum() / 5000:.3f}"
    assert metric(at, "NMI") == metric(at, "V-measure") == f"{matching.v_measure(cells.astype(int)):.3f}"
    clusters, classes = frame(at, "Cluster"), frame(at, "Class")
    assert sorted(clusters["One-to-one"]) == list("0123456789")
    assert clusters["Images"].sum() == classes["Images"].sum() == 5000
    place = {name: i for i, name in enumerate(matrix_frame(at).index)}
    for _, row in clusters.iterrows():
        assert cells[place[row["Cluster"]]].max() / row["Images"] == pytest.approx(row["Majority: agree"])
    assert {"One-to-one: recall", "Majority: F1"} <= set(classes.columns)


def test_shares_add_up_to_one_over_the_cluster_or_the_label():
    at = opened("Clusters × labels")
    for values, axis in (("Shares of the cluster", 1), ("Shares of the label", 0)):
        at.session_state["set.matrix.values"] = values
        at.run()
        np.testing.assert_allclose(matrix_frame(at).to_numpy().sum(axis=axis), 1)
    at.session_state["set.matrix.values"] = None
    assert matrix_frame(at.run()).to_numpy().sum() == 5000


def test_more_clusters_than_are_drawn_are_counted():
    at = page()
    at.session_state["set.way"] = "kmeans-latents"
    at.session_state["set.panel"] = "Clusters × labels"
    at.run()
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(45).run()
    assert not at.exception
    cells = matrix_frame(at).to_numpy()
    assert cells.shape == (40, 10)
    assert f"5 clusters and 0 labels with {5000 - int(cells.sum())} images are left out" in texts(at)


def test_hostile_class_names_are_cells_and_not_markup(tmp_path):
    at = opened("Clusters × labels", mapped(page().run(), tiny(tmp_path)))
    assert not at.exception
    assert "<b>right</b>" in set(frame(at, "Cluster")["Majority"])
    assert "<b>" not in texts(at)


def drawn(at):
    """What the main part of the page says, its choices and help texts too."""
    kinds = ("caption", "markdown", "info", "warning", "error", "metric", "button", "button_group", "dataframe")
    return {str(item.proto) for kind in kinds for item in at.main.get(kind)}


def test_without_labels_there_are_silhouette_and_stability_and_no_word_of_labels(tmp_path):
    at = mapped(page().run(), unlabelled(tmp_path))
    other = drawn(opened("Pictures", at))
    at = opened("Clusters × labels", at)
    assert not at.exception and not at.error
    own = drawn(at) - other
    metrics = {item.label: item.value for item in at.metric}
    assert -1 <= float(metrics["Stability"]) <= 1
    assert not {"NMI", "ARI", "Purity", "Accuracy, one-to-one"} & set(metrics)
    assert any("Cluster quality" in text for text in own)
    for text in own:
        for word in (
            "label_visibility",
            "label:",
            "Few labels",
        ):  # of the protocol, and the panel where labels are given
            text = text.replace(word, "")
        assert "label" not in text.casefold() and "class" not in text.casefold(), text


def test_k_is_tried_by_a_job_suggested_and_used():

    at = opened("Choose k")
    at.session_state["set.sweep.last"] = 4
    at.run()
    assert "Takes about" in texts(at) and not server.jobs().all()
    press(at, "analyse.SweepConfig")
    (job,) = server.jobs().all()
    assert job.upto.ks == (2, 3, 4)
    settled(at, lambda at: "Suggested: k" in texts(at))
    assert not at.exception
    assert server.jobs().get(job.id).state == "done"
    (chart,) = at.get("plotly_chart")
    suggested = int(texts(at).split("Suggested: k = ")[1].split(".")[0])
    assert suggested in (2, 3, 4)
    assert '"diamond"' in chart.proto.spec
    press(at, "sweep.use")
    assert next(item for item in at.sidebar.slider if item.label.startswith("k ")).value == suggested
    assert metric(at, "Clusters") == str(suggested)
    assert "Suggested: k" in texts(at), "another k is the same sweep"


def test_a_sweep_is_stopped_and_can_be_started_again():

    at = opened("Choose k")
    at.session_state["set.sweep.last"] = 100
    at.session_state["set.way"] = "own"
    at.session_state["set.n_init"] = 20
    at.run()
    press(at, "analyse.SweepConfig")
    (job,) = server.jobs().all()
    settled(at, lambda at: any(item.key == f"stop.{job.id}" for item in at.button))
    press(at, f"stop.{job.id}")
    settled(at, lambda at: "Stopped before it was complete" in texts(at))
    assert not list(server.store().entries("sweep"))
    press(at, f"again.{job.id}")
    assert any(item.key == "analyse.SweepConfig" for item in at.button)


def test_images_that_are_all_the_same_are_one_sentence(tmp_path):
    from core.imageset import image_set

    x = np.full((12, 8, 8), 7, np.uint8)
    np.savez(tmp_path / "same.npz", x=x)
    at = page().run()
    at.session_state[f"set.k.{image_set(x[..., None]).fingerprint[:8]}"] = 1
    at = opened("Choose k", mapped(at, tmp_path / "same.npz"))
    assert not at.exception
    press(at, "analyse.SweepConfig")
    settled(at, lambda at: "k = 2 clusters need at least 2 different points" in texts(at).replace("\\", ""))
    assert not at.exception
