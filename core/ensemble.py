"""Several clusterings of the same images combined: aligned to each other, put to the vote, with the share that agrees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.clustering import NOISE, by_size
from core.errors import ConfigError, DataError
from core.quality import ari, contingency


@dataclass(frozen=True, eq=False)
class Consensus:
    """The vote of m clusterings.

    Parameters
    ----------
    labels : int32 (n,), 0..k-1, cluster 0 the largest; -1 where noise has most votes.
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
    Noise, -1, is one more thing to vote for, the same in all members; where they are compared it is a group of its own.

    Raises
    ------
    ConfigError : fewer than 2 members, or a vote that leaves nothing but noise. DataError : members of different length,
        or that are no clusterings.

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
    for member in members:
        if len(member) == 0 or member.min() < NOISE:
            raise DataError("The clusters of a run must be numbered from 0, with -1 for noise.")
    groups = [np.where(member < 0, member.max() + 1, member) for member in members]
    agreement = np.array([[ari(a, b) for b in groups] for a in groups], np.float32)
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
        reference[reference == k] = NOISE
    share = _votes(aligned, k)[np.arange(len(reference)), reference] / len(members)
    inside = reference >= 0
    there, numbers = np.unique(reference[inside], return_inverse=True)  # a cluster that nobody voted for is gone
    if not len(there):
        raise ConfigError("The vote of these runs leaves nothing but noise; combine others.")
    reference[inside] = numbers
    labels, _ = by_size(reference, len(there))
    return Consensus(labels, share.astype(np.float32), len(there), agreement)


def align(member: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Rename a clustering's clusters as those of another one, int32 (n,) (Kuhn, The Hungarian method, 1955).

    Noise stays noise. A cluster left over becomes noise where most of its images are noise in the other.
    """
    from scipy.optimize import linear_sum_assignment

    k = int(reference.max()) + 1
    inside = member >= 0
    if not inside.any():
        return np.full(len(member), NOISE, np.int32)
    # The other's noise is its last column, which may be a name but has no partner.
    table = contingency(member[inside], np.where(reference < 0, k, reference)[inside])
    names = table.argmax(axis=1)
    rows, columns = linear_sum_assignment(table[:, :k], maximize=True)
    partners = table[rows, columns] > 0 if table.shape[1] > k else np.ones(len(rows), bool)
    names[rows[partners]] = columns[partners]
    aligned = np.where(inside, names[member], NOISE).astype(np.int32)
    aligned[aligned == k] = NOISE
    return aligned


def _votes(aligned: Sequence[np.ndarray], k: int) -> np.ndarray:
    votes = np.zeros((len(aligned[0]), k + 1), np.float32)  # (n, k + 1): noise is -1 and finds the last
    for labels in aligned:
        votes[np.arange(len(labels)), labels] += 1
    return votes
