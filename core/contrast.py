"""The contrastive loss: two pictures of one image lie close among the latents of all others."""

import torch
from torch.nn import functional


def nt_xent(first: torch.Tensor, second: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return how badly each image's two rows of latents (b, d) find each other among all 2b by their angle, in nats.

    Notes
    -----
    Chen, Kornblith, Norouzi, Hinton: A simple framework for contrastive learning of visual representations (ICML 2020).
    """
    n = len(first)
    rows = functional.normalize(torch.cat([first, second]), dim=1)
    likeness = (rows @ rows.T) / temperature  # (2b, 2b)
    likeness = likeness.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=rows.device), float("-inf"))
    return functional.cross_entropy(likeness, torch.arange(2 * n, device=rows.device).roll(n))
