"""Groups of duplicates on images whose distances are known."""

import io

import numpy as np
import pandas as pd
import pytest

from core import duplicates, neighbours, tables
from core.duplicates import Thresholds
from core.errors import ConfigError


def flat(*grays):
    """Images 8×8 of one gray, uint8 (n, 8, 8, 1), and as latents that gray, float32 (n, 1)."""
    values = np.array(grays)
    return np.broadcast_to(values[:, None, None, None].astype(np.uint8), (len(values), 8, 8, 1)), values[
        :, None
    ].astype(np.float32)


def grouped(x, z, latent, pixel, k=5):
    found = duplicates.groups(x, neighbours.graph(z, k), Thresholds(latent, pixel))
    return [(group.kind, group.rows.tolist()) for group in found]


def test_pixel_distance_is_the_root_of_the_mean_square_in_0_to_1():
    x = np.zeros((3, 8, 8, 3), np.uint8)
    x[1] = 255
    x[2, :4, :, 0] = 51  # half the pixels of one channel of three, by 0.2
    found = duplicates.pixel_distances(x, np.array([0, 0, 0]), np.array([0, 1, 2]))
    np.testing.assert_allclose(found, [0, 1, np.sqrt(0.04 / 6)], rtol=1e-6)


def test_copies_are_found_wherever_they_lie_even_where_neighbours_do_not_show_them():
    x, _ = flat(10, 200, 10, 90, 200, 10)
    z = np.arange(6, dtype=np.float32)[:, None] * 100
    assert grouped(x, z, 0, 0, k=1) == [("exact", [0, 2, 5]), ("exact", [1, 4])]


def test_near_ones_need_both_distances():
    x, z = flat(0, 2, 100, 103, 200)
    limit = 2.5 / 255
    assert grouped(x, z, 3, limit) == [("near", [0, 1])]
    assert grouped(x, z, 3, 3.1 / 255) == [("near", [0, 1]), ("near", [2, 3])]
    assert grouped(x, z, 1.9, limit) == []
    z[1] = 90  # as pixels they are near, as latents no more
    assert grouped(x, z, 3, limit) == []


def test_a_group_tells_its_distances_from_its_centre_and_holds_copies():
    x, z = flat(50, 52, 50, 49, 150)
    group = duplicates.groups(x, neighbours.graph(z, 4), Thresholds(2, 2 / 255))[0]
    assert (group.kind, group.rows.tolist()) == ("near", [0, 1, 2, 3])
    np.testing.assert_allclose(group.latent, [0, 2, 0, 1])
    np.testing.assert_allclose(group.pixel, np.array([0, 2, 0, 1]) / 255, rtol=1e-6)


def test_a_chain_of_small_steps_does_not_become_one_group():
    x, z = flat(*range(0, 200, 2))
    found = duplicates.groups(x, neighbours.graph(z, 5), Thresholds(2, 2.1 / 255))
    assert all(np.ptp(z[group.rows]) <= 4 for group in found)
    assert sorted(np.concatenate([group.rows for group in found]).tolist()) == sorted(
        {int(row) for group in found for row in group.rows}
    )
    assert len(found) > 30


def test_stars_are_taken_by_the_links_that_are_left():
    # a has most; of b's four then only one is left, so that c, with three, comes before it.
    a, b, c = 10, 11, 12
    around = {a: {1, 2, 3, 4, 5}, b: {1, 2, 3, 6}, c: {6, 7, 8}}
    for row in range(1, 9):
        around[row] = {centre for centre in (a, b, c) if row in around[centre]}
    assert duplicates._split(around) == [[a, 1, 2, 3, 4, 5], [c, 6, 7, 8], [b]]


def test_all_images_identical_are_one_group_and_all_different_none():
    x, z = flat(*[7] * 20)
    graph = neighbours.graph(z, 3)
    assert duplicates.suggested(x, graph) == Thresholds(0, 0)
    assert grouped(x, z, 0, 0, k=3) == [("exact", list(range(20)))]
    x, z = flat(*range(0, 250, 10))
    assert grouped(x, z, 5, 5) == []


def test_thresholds_are_a_share_of_what_usually_lies_between_neighbours():
    x, z = flat(0, 10, 20, 30, 30, 100)  # to the nearest: 10 10 10 (0 0, left out) 70: the median is 10
    found = duplicates.suggested(x, neighbours.graph(z, 2))
    np.testing.assert_allclose([found.latent, found.pixel], [2.5, 2.5 / 255], rtol=1e-6)


def test_pairs_are_compared_in_parts_and_progress_is_told(monkeypatch):
    monkeypatch.setattr(duplicates, "PAIRS", 3)
    x, z = flat(*range(0, 20))
    seen = []
    duplicates.groups(x, neighbours.graph(z, 2), Thresholds(1, 1), seen.append)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (3, 19, 19)


def test_the_table_notes_labels_that_conflict_and_runs_no_formula():
    x, z = flat(10, 10, 60, 61, 200)
    found = duplicates.groups(x, neighbours.graph(z, 4), Thresholds(1, 1 / 255))
    ids = ["=cmd|' /C calc'!A0", "a\nb", "<b>", "x" * 10_000, "e"]
    frame = duplicates.table(found, ids, np.array([0, 1, 0, -1, 1]), ("cat", "dog"))
    assert frame.drop(columns="id").to_numpy().tolist() == [
        [1, "exact", 0, "cat", 0, 0, True],
        [1, "exact", 1, "dog", 0, 0, True],
        [2, "near", 2, "cat", 0, 0, False],
        [2, "near", 3, "", 1, pytest.approx(1 / 255), False],
    ]
    back = pd.read_csv(io.BytesIO(tables.csv(frame)), dtype=str)
    assert back["id"].tolist() == [f"'{ids[0]}", *ids[1:4]]
    assert list(duplicates.table((), ids)) == ["group", "kind", "row", "id", "latent distance", "pixel distance"]


def test_what_does_not_fit_is_refused():
    x, z = flat(0, 1, 2)
    with pytest.raises(ConfigError, match="of 3 images, but there are 2"):
        duplicates.groups(x[:2], neighbours.graph(z, 1), Thresholds(0, 0))
    with pytest.raises(ConfigError, match="0 or more, not -1 and 0"):
        duplicates.groups(x, neighbours.graph(z, 1), Thresholds(-1, 0))
