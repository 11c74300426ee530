"""Parts joined to clusters by the links of neighbours a little further away than those that a manifold is made of."""

import numpy as np


def joined(parts: np.ndarray, neighbours: np.ndarray, k: int) -> np.ndarray:
    """Join the two parts with the most links for their sizes, again and again, until k are left.

    An island of few images may lie nearest to another kind, while the neighbours after the first ones are of its own.

    Parameters
    ----------
    parts : whole numbers (n,), one an image. neighbours : whole numbers (n, q), rows of each image's neighbours.

    Returns
    -------
    labels : int64 (n,) in 0..k - 1; with no more than k parts these, numbered without gaps.

    Notes
    -----
    Average linkage (Sokal, Michener 1958) of the similarity "links between, over the product of both sizes".
    """
    names, labels = np.unique(parts, return_inverse=True)
    count = len(names)
    links = np.zeros((count, count))
    np.add.at(links, (np.repeat(labels, neighbours.shape[1]), labels[neighbours].ravel()), 1)
    links += links.T
    sizes = np.bincount(labels, minlength=count).astype(np.float64)
    left = np.arange(count)  # the part that each one belongs to by now
    np.fill_diagonal(links, -1)
    while count > k:
        first, second = sorted(np.unravel_index(np.argmax(links / np.outer(sizes, sizes)), links.shape))
        links[first] += links[second]
        links[:, first] += links[:, second]
        links[second] = links[:, second] = -1
        links[first, first] = -1
        sizes[first] += sizes[second]
        left[left == second] = first
        count -= 1
    return np.unique(left, return_inverse=True)[1][labels].astype(np.int64)
