"""Diagonal Gaussians, as encoders give them.

Shapes: S draws, B samples of a batch, K latent dimensions. Logarithms are natural: everything is
in nats.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "Posterior",
    "draw_latents",
    "full_precision",
    "kl_to_standard_normal",
    "normal_log_density",
    "soft_floor",
    "split_posterior",
]

# Standard deviations from 0.0009 to 55, beside a prior of 1. A network that a large learning rate
# has thrown off course could otherwise ask for exp(1000); this way its loss stays finite and pulls
# it back. Well inside the limits the soft clamp changes nothing.
_LOWEST_LOG_VARIANCE, _HIGHEST_LOG_VARIANCE = -14.0, 8.0


class Posterior(NamedTuple):
    """q(z | x) of every sample: independent Gaussians, one a latent dimension."""

    mean: Tensor
    """(B, K)."""
    log_variance: Tensor
    """(B, K)."""


def split_posterior(outputs: Tensor) -> Posterior:
    """Read an encoder's 2K outputs as means and log-variances.

    Parameters
    ----------
    outputs : Tensor
        (B, 2K), in any precision: what follows is computed in float32 at least.

    Returns
    -------
    Posterior
        Log-variances are softly clamped to [-14, 8].

    Examples
    --------
    >>> q = split_posterior(torch.tensor([[0.5, -1.0, 0.0, 1e9]]))
    >>> q.mean.tolist(), [round(v, 3) for v in q.log_variance[0].tolist()]
    ([[0.5, -1.0]], [-0.0, 8.0])
    """
    mean, raw = full_precision(outputs).chunk(2, dim=1)
    below = _HIGHEST_LOG_VARIANCE - F.softplus(_HIGHEST_LOG_VARIANCE - raw)
    return Posterior(mean, soft_floor(below, _LOWEST_LOG_VARIANCE))


def soft_floor(a: Tensor, lowest: float) -> Tensor:
    """Return ``a``, bent smoothly so that it stays above ``lowest``; unchanged well above it."""
    return lowest + F.softplus(a - lowest)


def full_precision(a: Tensor) -> Tensor:
    """Return ``a`` in float32, or as it is in float64: sums over elements need the digits."""
    return a if a.dtype == torch.float64 else a.float()


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)) of each element, in nats.

    Source: Kingma and Welling 2014, appendix B.

    Examples
    --------
    >>> kl_to_standard_normal(torch.tensor([0.0, 2.0]), torch.zeros(2)).tolist()
    [0.0, 2.0]
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)


def normal_log_density(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return log N(x; mean, variance) of each element, in nats.

    Examples
    --------
    >>> round(normal_log_density(torch.zeros(()), torch.zeros(()), torch.zeros(())).item(), 4)
    -0.9189
    """
    squares = (x - mean).square() * (-log_variance).exp()
    return -0.5 * (math.log(2.0 * math.pi) + log_variance + squares)


def draw_latents(posterior: Posterior, draws: int) -> tuple[Tensor, Tensor]:
    """Draw latents by the reparametrisation trick, so that gradients reach the encoder.

    Parameters
    ----------
    posterior : Posterior
        (B, K).
    draws : int
        Number of draws a sample (S).

    Returns
    -------
    z : Tensor
        (S, B, K).
    log_ratio : Tensor
        (S, B), log p(z) - log q(z | x) with the prior N(0, I), in nats.
    """
    mean, log_variance = posterior
    noise = torch.randn(draws, *mean.shape, dtype=mean.dtype, device=mean.device)
    z = mean + (0.5 * log_variance).exp() * noise
    return z, 0.5 * (noise.square() + log_variance - z.square()).sum(-1)
