"""Posteriors that encoders give, the prior that they are compared with, and likelihoods of samples.

Shapes: S draws, B samples of a batch, n embeddings, K latent dimensions. Logarithms are natural:
everything is in nats.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello.errors import Argument, InputError, Use
from cuello.kinds.base import Diagnosis
from cuello.kinds.losses import ReconstructionLoss, full_precision

__all__ = [
    "LIKELIHOODS",
    "DecoderLikelihood",
    "Posterior",
    "compare_with_prior",
    "draw_latents",
    "draw_prior_like",
    "kl_to_standard_normal",
    "normal_log_density",
    "split_posterior",
]

# Standard deviations from 0.0009 to 55, beside a prior of 1. A network that a large learning rate
# has thrown off course could otherwise ask for exp(1000); this way its loss stays finite and pulls
# it back. Well inside the limits the soft clamp changes nothing.
_LOWEST_LOG_VARIANCE, _HIGHEST_LOG_VARIANCE = -14.0, 8.0

# Of each dimension's embeddings, beside a prior of mean 0 and standard deviation 1.
_LARGEST_MEAN, _LOWEST_STD, _HIGHEST_STD = 0.5, 0.5, 1.5
_FEWEST_JUDGED = 100  # the standard deviation of fewer is uncertain by more than a tenth

LIKELIHOODS = ("auto", "bernoulli", "gaussian")

_DECADE = 2.0 * math.log(10.0)  # of a standard deviation, in log-variance
_FIRST, _LOWEST = -1.0, -4.0  # decades below the range of the data


class Posterior(NamedTuple):
    """q(z | x) of every sample: independent Gaussians, one a latent dimension, (B, K) each."""

    mean: Tensor
    log_variance: Tensor


def split_posterior(outputs: Tensor) -> Posterior:
    """Read an encoder's outputs (B, 2K) as means and softly clamped log-variances."""
    mean, raw = full_precision(outputs).chunk(2, dim=1)
    below = _HIGHEST_LOG_VARIANCE - F.softplus(_HIGHEST_LOG_VARIANCE - raw)
    return Posterior(mean, _soft_floor(below, _LOWEST_LOG_VARIANCE))


def _soft_floor(a: Tensor, lowest: float) -> Tensor:
    """Return ``a``, bent smoothly so that it stays above ``lowest``; unchanged well above it."""
    return lowest + F.softplus(a - lowest)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)) of each element.

    Source: Kingma and Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)


def normal_log_density(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return log N(x; mean, variance) of each element."""
    squares = (x - mean).square() * (-log_variance).exp()
    return -0.5 * (math.log(2.0 * math.pi) + log_variance + squares)


def draw_latents(posterior: Posterior, draws: int) -> tuple[Tensor, Tensor]:
    """Draw z (S, B, K), and return it with log p(z) - log q(z | x) (S, B) under the prior N(0, I).

    By the reparametrisation trick, so that gradients reach the encoder.
    """
    mean, log_variance = posterior
    noise = torch.randn(draws, *mean.shape, dtype=mean.dtype, device=mean.device)
    z = mean + (0.5 * log_variance).exp() * noise
    return z, 0.5 * (noise.square() + log_variance - z.square()).sum(-1)


def draw_prior_like(z: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw as many embeddings from N(0, I) as ``z`` (n, K) holds, of its type and device."""
    return torch.randn(z.shape, dtype=z.dtype, device=z.device, generator=generator)


def compare_with_prior(z: Tensor, remedy: str) -> Diagnosis:
    """Return mean and standard deviation of each dimension of embeddings (n, K).

    A finding, which ends with the remedy, tells of dimensions that are far from N(0, 1).
    """
    z = full_precision(z)
    mean, std = z.mean(dim=0), z.std(dim=0, correction=0)
    far = (mean.abs() > _LARGEST_MEAN) | (std < _LOWEST_STD) | (std > _HIGHEST_STD)
    findings = []
    if len(z) >= _FEWEST_JUDGED and bool(far.any()):
        worst = int((mean.square() + (std - 1.0).square()).argmax())
        findings.append(
            f"{int(far.sum())} of {len(far)} latent dimensions are far from the prior N(0, 1), the "
            f"worst has mean {float(mean[worst]):.2g} and deviation {float(std[worst]):.2g}; "
            f"{remedy}"
        )
    return Diagnosis({"embedding_mean": mean.tolist(), "embedding_std": std.tolist()}, findings)


class DecoderLikelihood(nn.Module):
    """log p(x | z) of whole samples, with the options of the kind ``variational``.

    Of targets between 0 and 1 the Bernoulli's value is the cross-entropy, which bounds no
    probability; round grey values, or draw from them, where likelihoods are to be compared.
    """

    decades: nn.Parameter | None
    """Learned: log10 of the standard deviation, as a share of the range of the data.

    In these units Adam with its default learning rate crosses several of them in one training,
    which it would not in units of log-variance.
    """

    def __init__(self, name: str, variance: float, reconstruction: ReconstructionLoss) -> None:
        super().__init__()
        self.name = _resolve(name, variance, reconstruction)
        self.variance = variance
        self.reconstruction = reconstruction
        learned = self.name == "gaussian" and variance == 0.0
        self.decades = nn.Parameter(torch.tensor(_FIRST)) if learned else None

    @property
    def log_variance(self) -> Tensor:
        """Log-variance of the Gaussian, a scalar."""
        if self.decades is None:
            return torch.tensor(math.log(self.variance), dtype=torch.float64)
        span = self.reconstruction.high - self.reconstruction.low
        return 2.0 * math.log(span) + _soft_floor(_DECADE * self.decades, _DECADE * _LOWEST)

    def forward(self, sums: Tensor, x: Tensor) -> Tensor:
        """Return log p(x | z) of samples (B, ...) from the decoder's last sums (S, B, ...): (S, B).

        Elements that are missing (NaN) do not count.
        """
        sums, x = full_precision(sums), full_precision(x)
        present = None
        if self.reconstruction.missing:
            present, x = ~x.isnan(), x.nan_to_num()
        if self.name == "bernoulli":
            # From the sums, not from their sigmoid: no logarithm of zero.
            terms = -F.binary_cross_entropy_with_logits(sums, x.expand_as(sums), reduction="none")
        else:
            terms = normal_log_density(x, self.reconstruction.activate(sums), self.log_variance)
        if present is not None:
            terms = terms * present
        return terms.flatten(sums.ndim - x.ndim + 1).sum(-1)


def _resolve(name: str, variance: float, reconstruction: ReconstructionLoss) -> str:
    """Return ``bernoulli`` or ``gaussian``, if it goes with the loss and the variance."""
    loss = reconstruction.loss
    if loss not in ("bce", "mse"):
        raise InputError(
            "is no likelihood that this kind has",
            argument="loss",
            value=loss,
            remedy=(
                Use("loss", "mse"),
                " (Gaussian), ",
                Argument("loss", "bce"),
                " (Bernoulli, for data in 0..1), or ",
                Argument("loss", "auto"),
            ),
        )
    if name == "bernoulli" and loss != "bce":
        raise InputError(
            ("needs ", Argument("loss", "bce"), " and data in 0..1, not ", Argument("loss", loss)),
            argument="likelihood",
            value=name,
            remedy=(
                Use("loss", "bce"),
                " with ",
                Argument("scaling", "minmax"),
                ", or ",
                Argument("likelihood", "gaussian"),
            ),
        )
    if name == "auto":
        name = "bernoulli" if loss == "bce" else "gaussian"
    if name == "bernoulli" and variance > 0.0:
        raise InputError(
            "is a variance of the Gaussian, but the likelihood is Bernoulli",
            argument="variance",
            value=variance,
            remedy=(Use("likelihood", "gaussian"), ", or ", Argument("variance", 0.0)),
        )
    return name
