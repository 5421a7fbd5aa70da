"""The law that codes are matched with: every latent normal, mean 0 and deviation 1, independent.

Shapes: n codes, K latents.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cuello.kinds.base import Diagnosis

__all__ = ["compare", "draw_like", "wide"]

_LARGEST_MEAN = 0.5
_DEVIATIONS = (0.5, 1.5)
_LEAST_CODES = 100  # the deviation of fewer is not known to a tenth


def wide(z: Tensor) -> Tensor:
    """Return the codes in float32 at least: laws are not compared in bfloat16."""
    return z if z.dtype == torch.float64 else z.float()


def draw_like(z: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw as many codes from N(0, I) as there are in ``z`` (n, K), of its type and device."""
    return torch.randn(z.shape, dtype=z.dtype, device=z.device, generator=generator)


def compare(z: Tensor, way_out: str) -> Diagnosis:
    """Compare each latent with N(0, 1).

    Parameters
    ----------
    z : Tensor
        (n, K) codes; fewer than 100 are described but not judged.
    way_out : str
        What to do if they are far from it; ends the finding.

    Returns
    -------
    Diagnosis
        ``embedding_mean`` and ``code_std``, one number a latent; a finding if a mean is more than
        0.5 from 0 or a deviation is outside 0.5..1.5.

    Examples
    --------
    >>> halves = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) / 4
    >>> print(compare(halves, "train longer.").findings[0])
    2 of 2 latents are far from the prior N(0, 1), the worst has mean ... and deviation 0.25; \
train longer.
    """
    z = wide(z)
    mean, deviation = z.mean(dim=0), z.std(dim=0, correction=0)
    low, high = _DEVIATIONS
    far = (mean.abs() > _LARGEST_MEAN) | (deviation < low) | (deviation > high)
    findings = []
    if len(z) >= _LEAST_CODES and bool(far.any()):
        worst = int((mean.square() + (deviation - 1.0).square()).argmax())
        findings.append(
            f"{int(far.sum())} of {len(far)} latents are far from the prior N(0, 1), the worst has "
            f"mean {float(mean[worst]):.2g} and deviation {float(deviation[worst]):.2g}; {way_out}"
        )
    return Diagnosis({"embedding_mean": mean.tolist(), "code_std": deviation.tolist()}, findings)
