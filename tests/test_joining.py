"""Parts joined to clusters: by links for their sizes, until as many as asked for are left."""

import numpy as np

from core.clustering.joining import joined

PARTS = np.repeat([0, 1, 2, 5], [40, 40, 10, 3])  # their numbers may have gaps


def neighbours(of):
    """Each image's neighbours: 8 of its own part, and 2 of another one, or none but its own."""
    random = np.random.default_rng(0)
    rows = {part: np.flatnonzero(part == PARTS) for part in np.unique(PARTS)}
    return np.stack([
        np.concatenate([random.choice(rows[part], 8), random.choice(rows[of.get(int(part), part)], 2)]) for part in PARTS
    ])  # fmt: skip


def test_parts_go_where_most_of_their_links_for_the_sizes_go():
    links = neighbours({2: 1, 5: 0})
    assert joined(PARTS, links, 4).tolist() == np.repeat([0, 1, 2, 3], [40, 40, 10, 3]).tolist()
    assert joined(PARTS, links, 3).tolist() in (
        np.repeat([0, 1, 2, 0], [40, 40, 10, 3]).tolist(), np.repeat([0, 1, 1, 2], [40, 40, 10, 3]).tolist(),
    )  # fmt: skip
    assert joined(PARTS, links, 2).tolist() == np.repeat([0, 1, 1, 0], [40, 40, 10, 3]).tolist()


def test_what_was_joined_counts_as_one():
    links = neighbours({0: 2, 5: 2})
    assert joined(PARTS, links, 2).tolist() == np.repeat([0, 1, 0, 0], [40, 40, 10, 3]).tolist()
    assert joined(PARTS, neighbours({}), 1).tolist() == [0] * len(PARTS)


def test_fewer_parts_than_clusters_stay_as_they_are():
    found = joined(PARTS, neighbours({}), 9)
    assert found.dtype == np.int64
    assert found.tolist() == np.repeat([0, 1, 2, 3], [40, 40, 10, 3]).tolist()


def test_a_small_part_is_joined_before_large_ones_that_have_more_links_between_them():
    parts = np.repeat([0, 1, 2], [40, 40, 10])
    links = np.arange(90)[:, None].repeat(2, axis=1)  # each image's own part but for
    links[:30, 0] = 40 + np.arange(30)  # 30 links between the large ones,
    links[80:] = np.arange(20).reshape(10, 2)  # and 20 of the small one
    assert joined(parts, links, 2).tolist() == np.repeat([0, 1, 0], [40, 40, 10]).tolist()
