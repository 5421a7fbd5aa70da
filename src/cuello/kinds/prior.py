"""The prior that embeddings are matched with: N(0, I).

Shapes: n embeddings, K latent dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cuello.kinds.base import Diagnosis
from cuello.kinds.gaussians import full_precision

__all__ = ["compare_with_prior", "draw_prior_like"]

_LARGEST_MEAN = 0.5
_DEVIATIONS = (0.5, 1.5)
_FEWEST_JUDGED = 100  # the deviation of fewer is not known to a tenth


def draw_prior_like(z: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw as many embeddings from N(0, I) as ``z`` (n, K) holds, of its type and device."""
    return torch.randn(z.shape, dtype=z.dtype, device=z.device, generator=generator)


def compare_with_prior(z: Tensor, remedy: str) -> Diagnosis:
    """Compare each latent dimension with N(0, 1).

    Parameters
    ----------
    z : Tensor
        (n, K) embeddings; fewer than 100 are described but not judged.
    remedy : str
        Advice for embeddings that are far from it; ends the finding.

    Returns
    -------
    Diagnosis
        ``embedding_mean`` and ``embedding_std``, one number a dimension; a finding if a mean is
        more than 0.5 from 0 or a deviation is outside 0.5..1.5.

    Examples
    --------
    >>> halves = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) / 4
    >>> print(compare_with_prior(halves, "train longer.").findings[0])
    2 of 2 latent dimensions are far from the prior N(0, 1), the worst has mean ... and deviation \
0.25; train longer.
    """
    z = full_precision(z)
    mean, deviation = z.mean(dim=0), z.std(dim=0, correction=0)
    low, high = _DEVIATIONS
    far = (mean.abs() > _LARGEST_MEAN) | (deviation < low) | (deviation > high)
    findings = []
    if len(z) >= _FEWEST_JUDGED and bool(far.any()):
        worst = int((mean.square() + (deviation - 1.0).square()).argmax())
        findings.append(
            f"{int(far.sum())} of {len(far)} latent dimensions are far from the prior N(0, 1), the "
            f"worst has mean {float(mean[worst]):.2g} and deviation {float(deviation[worst]):.2g}; "
            f"{remedy}"
        )
    return Diagnosis(
        {"embedding_mean": mean.tolist(), "embedding_std": deviation.tolist()}, findings
    )
