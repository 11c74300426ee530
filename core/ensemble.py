"""Several clusterings of the same images combined: aligned to each other, put to the vote, with the share that agrees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.clustering import by_size
from core.errors import ConfigError, DataError
from core.quality import ari, contingency


@dataclass(frozen=True, eq=False)
class Consensus:
    """The vote of m clusterings.

    Parameters
    ----------
    labels : int32 (n,), 0..k-1, cluster 0 the largest.
    confidence : float32 (n,), share of members that agree with the vote, in (0, 1].
    agreement : float32 (m, m), adjusted Rand index of every two members, 1 on the diagonal.
    """

    labels: np.ndarray
    confidence: np.ndarray
    k: int
    agreement: np.ndarray


def combine(members: Sequence[np.ndarray]) -> Consensus:
    """Combine clusterings (n,) of the same images by relabelling and voting.

    The reference is the member of the most common number of clusters that agrees best with the others. Each member is
    aligned to it by the pairing on which most images agree; clusters left over join the one that most of their images
    are in. The vote is taken, all are aligned to it, and it is taken once more, so that one odd reference decides nothing.

    Raises
    ------
    ConfigError : fewer than 2 members. DataError : members of different length.

    Notes
    -----
    Dudoit and Fridlyand: Bagging to improve the accuracy of a clustering procedure (2003); Strehl and Ghosh: Cluster
    ensembles (2002).
    """
    if len(members) < 2:
        raise ConfigError(f"An ensemble needs at least 2 runs; here is {len(members)}.")
    if len({len(member) for member in members}) > 1:
        raise DataError(
            f"The runs are of {sorted({len(member) for member in members})} images; they must be the same."
        )
    agreement = np.array([[ari(a, b) for b in members] for a in members], np.float32)
    counts = [int(member.max()) + 1 for member in members]
    k = max(sorted(set(counts)), key=counts.count)
    mean = agreement.mean(axis=1)
    reference = members[max((i for i in range(len(members)) if counts[i] == k), key=lambda i: mean[i])]
    for _ in range(2):
        aligned = [align(member, reference) for member in members]
        votes = _votes(aligned, k)
        # A tie goes to the label before: without it the first cluster would win.
        votes[np.arange(len(reference)), reference] += 0.5
        reference = votes.argmax(axis=1).astype(np.int32)
    share = _votes(aligned, k)[np.arange(len(reference)), reference] / len(members)
    _, reference = np.unique(reference, return_inverse=True)  # a cluster that nobody voted for is gone
    k = int(reference.max()) + 1
    labels, _ = by_size(reference, k)
    return Consensus(labels, share.astype(np.float32), k, agreement)


def align(member: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Rename a clustering's clusters as those of another one, int32 (n,) (Kuhn, The Hungarian method, 1955)."""
    from scipy.optimize import linear_sum_assignment

    table = contingency(member, reference)
    names = table.argmax(axis=1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    names[rows] = columns
    aligned: np.ndarray = names[member].astype(np.int32)
    return aligned


def _votes(aligned: Sequence[np.ndarray], k: int) -> np.ndarray:
    votes = np.zeros((len(aligned[0]), k), np.float32)  # (n, k)
    for labels in aligned:
        votes[np.arange(len(labels)), labels] += 1
    return votes
