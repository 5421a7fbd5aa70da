"""The evidence of samples under a Gaussian posterior: bounds, estimates, and what the kinds share.

Shapes: S draws, B samples of a batch, ... the shape of one sample, K latent dimensions.
"""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from cuello.errors import Argument, InputError, Use
from cuello.kinds.base import AutoencoderModule, Diagnosis, Parts
from cuello.kinds.gaussians import Posterior, draw_latents, kl_to_standard_normal, split_posterior
from cuello.kinds.likelihoods import LIKELIHOODS, DecoderLikelihood
from cuello.options import Range

__all__ = ["Bound", "EvidenceModule", "LogDensity", "decode_draws", "importance_estimate"]

LogDensity = Callable[[Tensor], Tensor]
"""Latents z (S, B, K) -> log p(x | z) (S, B), in nats."""

_ACTIVE_VARIANCE = 0.01  # of a latent's mean over samples (Burda et al. 2016, section 5.2)
_COLLAPSED = 0.01  # nats
_MOST_DECODED = 2**22  # elements of decoded draws at a time: 16 MB


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A lower bound on log p(x), as the terms whose sum is minimised.

    Parameters
    ----------
    beta : float
        Weight of the KL (Higgins et al. 2017). At 1 the sum bounds the likelihood.
    kl_warm_up : float
        Share of the training in [0, 1] over which that weight rises from 0 (Bowman et al. 2016).
    free_bits : float
        Nats a latent dimension that cost nothing: the KL of each, averaged over the batch, counts
        at least as this much (Kingma et al. 2016, equation 15).
    samples : int
        Draws of z a sample. From 2 on the bound is the importance-weighted one (Burda et al. 2016,
        equation 8), which has no KL that the other options could act on.

    Raises
    ------
    InputError
        If an option does not go with ``samples``.
    """

    beta: float
    kl_warm_up: float
    free_bits: float
    samples: int

    def __post_init__(self) -> None:
        if self.samples == 1:
            return
        for name, default in (("beta", 1.0), ("kl_warm_up", 0.0), ("free_bits", 0.0)):
            if (value := getattr(self, name)) != default:
                importance = Argument("samples", self.samples)
                raise InputError(
                    (
                        "acts on the KL, which the importance-weighted bound of ",
                        importance,
                        " lacks",
                    ),
                    argument=name,
                    value=value,
                    remedy=(Use("samples", 1), ", or ", Argument(name, default)),
                )

    def weight(self, progress: float) -> float:
        """Return the weight of the KL after this share of the training."""
        return self.beta * (min(progress / self.kl_warm_up, 1.0) if self.kl_warm_up else 1.0)

    def terms(
        self, posterior: Posterior, log_density: LogDensity, progress: float
    ) -> dict[str, Tensor]:
        """Return scalars in nats a sample: ``reconstruction`` and ``kl``, or one ``bound``."""
        z, log_ratio = draw_latents(posterior, self.samples)
        log_density_SB = log_density(z)
        if self.samples > 1:
            log_weights_SB = log_density_SB + log_ratio
            return {"bound": math.log(self.samples) - log_weights_SB.logsumexp(0).mean()}
        kl_K = kl_to_standard_normal(*posterior).mean(0)
        if self.free_bits:
            kl_K = kl_K.clamp_min(self.free_bits)
        return {"reconstruction": -log_density_SB.mean(), "kl": self.weight(progress) * kl_K.sum()}


class EvidenceModule(AutoencoderModule, ABC):
    """A kind whose encoder gives a Gaussian posterior and whose decoder gives a likelihood."""

    normal_prior = True

    def __init__(
        self,
        parts: Parts,
        *,
        likelihood: Annotated[str, LIKELIHOODS] = "auto",
        variance: Annotated[float, Range(0.0)] = 0.0,
        beta: Annotated[float, Range(0.0)] = 1.0,
        kl_warm_up: Annotated[float, Range(0.0, 1.0)] = 0.0,
        free_bits: Annotated[float, Range(0.0)] = 0.0,
        samples: Annotated[int, Range(1)] = 1,
    ) -> None:
        super().__init__(parts)
        self.likelihood = DecoderLikelihood(likelihood, variance, parts.reconstruction)
        self.bound = Bound(beta=beta, kl_warm_up=kl_warm_up, free_bits=free_bits, samples=samples)
        self._prepare(parts)

    def _prepare(self, parts: Parts) -> None:
        """Check the parts and add buffers, where a kind has its own."""

    @classmethod
    def encoder_width(cls, latent_dim: int) -> int:
        """Return 2K: a mean and a log-variance for each latent dimension."""
        return 2 * latent_dim

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean and log-variance of q(z | x), (B, K) each."""
        return split_posterior(self.encoder(x))

    def encode(self, x: Tensor) -> Tensor:
        """Return the mean of q(z | x), (B, K)."""
        return self.posterior(x).mean

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Measure how much each latent dimension is used on samples (n, ...).

        Returns
        -------
        Diagnosis
            ``kl_per_latent``, the mean over samples in nats; ``active_latents``, how many have a
            mean whose variance over samples is above 0.01; ``noise_sd`` of a Gaussian likelihood,
            in units of the scaled data. A finding names dimensions whose KL is below 0.01 nats, as
            ``z0``, ``z1``, ...
        """
        posterior = self.posterior(x)
        kl = kl_to_standard_normal(*posterior).mean(0)
        statistics: dict[str, float | list[float]] = {
            "kl_per_latent": kl.tolist(),
            "active_latents": int((posterior.mean.var(0, correction=0) > _ACTIVE_VARIANCE).sum()),
        }
        if self.likelihood.name == "gaussian":
            statistics["noise_sd"] = float((0.5 * self.likelihood.log_variance).exp())
        collapsed = (kl < _COLLAPSED).nonzero().flatten().tolist()
        findings = [_finding(collapsed, len(kl), self.bound.samples)] if collapsed else []
        return Diagnosis(statistics, findings)


def importance_estimate(
    posterior: Posterior, log_density: LogDensity, draws: int, elements: int
) -> Tensor:
    """Estimate log p(x) of each sample by importance sampling from its posterior.

    Parameters
    ----------
    posterior : Posterior
        (B, K).
    log_density : callable
        z (S, B, K) -> log p(x | z) (S, B).
    draws : int
        Draws of z a sample. The estimate is low on average, and less so with more of them.
    elements : int
        Numbers that one sample is decoded to: bounds the memory.

    Returns
    -------
    Tensor
        (B,), in nats.

    Notes
    -----
    Source: Rezende, Mohamed and Wierstra 2014, appendix E.
    """
    at_once = max(1, _MOST_DECODED // (len(posterior.mean) * elements))
    total = torch.full_like(posterior.mean[:, 0], -math.inf)
    for start in range(0, draws, at_once):
        z, log_ratio = draw_latents(posterior, min(at_once, draws - start))
        total = torch.logaddexp(total, (log_density(z) + log_ratio).logsumexp(0))
    return total - math.log(draws)


def decode_draws(decoder: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Decode (S, B, K) to (S, B, ...) in one pass."""
    decoded = decoder(z.flatten(0, 1))
    return decoded.reshape(*z.shape[:2], *decoded.shape[1:])


def _finding(collapsed: list[int], latents: int, samples: int) -> str:
    remedies = [] if samples > 1 else ["kl_warm_up=0.3", "free_bits=0.1", "a smaller beta"]
    if len(collapsed) < latents:
        remedies.append(f"fewer latent dimensions (latent_dim={latents - len(collapsed)})")
    elif samples > 1:
        remedies.append("samples=1 with kl_warm_up=0.3")
    *most, last = remedies
    advice = f"{', '.join(most)} or {last}" if most else last
    return (
        f"{len(collapsed)} of {latents} latent dimensions collapsed and say nothing about a sample "
        f"(KL below {_COLLAPSED} nats): {', '.join(f'z{k}' for k in collapsed)}; try "
        f"{advice}."
    )
