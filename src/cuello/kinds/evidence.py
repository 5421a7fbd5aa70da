"""Bounds on the likelihood of rows, estimates of it, and what a trained posterior tells.

Shared by the kinds with a Gaussian posterior. Each gives a function from latents z (S, B, K) to
log p(x | z) (S, B), in nats.

Shapes: S samples, B rows of a batch, ... the shape of one row, K latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cuello.errors import InputError
from cuello.kinds.base import Diagnosis
from cuello.kinds.gaussians import Posterior, draw, kl_to_standard_normal
from cuello.kinds.likelihoods import Likelihood

__all__ = ["Bound", "LogDensity", "diagnose", "estimate", "per_sample"]

LogDensity = Callable[[Tensor], Tensor]

_ACTIVE = 0.01  # variance of a latent's mean over rows (Burda et al. 2016, section 5.2)
_COLLAPSED = 0.01  # nats
_CHUNK = 2**22  # elements of decoded samples at a time: 16 MB


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A lower bound on log p(x), as the terms whose sum is minimised.

    Parameters
    ----------
    beta : float
        Weight of the KL, at least 0 (Higgins et al. 2017). At 1 the sum bounds the likelihood.
    kl_warm_up : float
        Share of the training in [0, 1] over which that weight rises from 0 (Bowman et al. 2016).
    free_bits : float
        Nats a latent that cost nothing: the KL of each, averaged over the batch, counts at least
        as this much (Kingma et al. 2016, equation 15).
    samples : int
        How many z a row. From 2 on the bound is the importance-weighted one (Burda et al. 2016,
        equation 8), which has no KL that the other options could act on.

    Raises
    ------
    InputError
        If an option is outside its range, or does not go with ``samples``.
    """

    beta: float
    kl_warm_up: float
    free_bits: float
    samples: int

    def __post_init__(self) -> None:
        for name, fine, allowed in (
            ("beta", 0.0 <= self.beta < math.inf, "at least 0; 1 bounds the likelihood"),
            ("kl_warm_up", 0.0 <= self.kl_warm_up <= 1.0, "a share of the training in [0, 1]"),
            ("free_bits", 0.0 <= self.free_bits < math.inf, "at least 0 nats a latent"),
            (
                "samples",
                self.samples >= 1 and self.samples == int(self.samples),
                "a whole number from 1 on",
            ),
        ):
            if not fine:
                raise InputError(f"{name}={getattr(self, name)!r} must be {allowed}.")
        if self.samples == 1:
            return
        for name, default in (("beta", 1.0), ("kl_warm_up", 0.0), ("free_bits", 0.0)):
            if (value := getattr(self, name)) != default:
                raise InputError(
                    f"{name}={value!r} acts on the KL, which the importance-weighted bound of "
                    f"samples={self.samples} does not have; use samples=1, or {name}={default:g}."
                )

    def weight(self, progress: float) -> float:
        """Return the weight of the KL after this share of the training."""
        return self.beta * (min(progress / self.kl_warm_up, 1.0) if self.kl_warm_up else 1.0)

    def terms(
        self, posterior: Posterior, log_density: LogDensity, progress: float
    ) -> dict[str, Tensor]:
        """Return scalars in nats per row: ``reconstruction`` and ``kl``, or one ``bound``."""
        z, log_ratio = draw(posterior, self.samples)
        log_density_SB = log_density(z)
        if self.samples > 1:
            log_weights_SB = log_density_SB + log_ratio
            return {"bound": math.log(self.samples) - log_weights_SB.logsumexp(0).mean()}
        kl_K = kl_to_standard_normal(*posterior).mean(0)
        if self.free_bits:
            kl_K = kl_K.clamp_min(self.free_bits)
        return {"reconstruction": -log_density_SB.mean(), "kl": self.weight(progress) * kl_K.sum()}


def estimate(posterior: Posterior, log_density: LogDensity, samples: int, elements: int) -> Tensor:
    """Estimate log p(x) of each row by importance sampling from its posterior.

    Parameters
    ----------
    posterior : Posterior
        (B, K).
    log_density : callable
        z (S, B, K) -> log p(x | z) (S, B).
    samples : int
        How many z a row. The estimate is low on average, and less so with more of them.
    elements : int
        How many numbers one row is decoded to: bounds the memory.

    Returns
    -------
    Tensor
        (B,), in nats.

    Notes
    -----
    Source: Rezende, Mohamed and Wierstra 2014, appendix E.
    """
    at_once = max(1, _CHUNK // (len(posterior.mean) * elements))
    total = torch.full_like(posterior.mean[:, 0], -math.inf)
    for start in range(0, samples, at_once):
        z, log_ratio = draw(posterior, min(at_once, samples - start))
        total = torch.logaddexp(total, (log_density(z) + log_ratio).logsumexp(0))
    return total - math.log(samples)


def per_sample(decoder: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Decode (S, B, K) to (S, B, ...) in one pass."""
    rows = decoder(z.flatten(0, 1))
    return rows.reshape(*z.shape[:2], *rows.shape[1:])


def diagnose(posterior: Posterior, likelihood: Likelihood, samples: int) -> Diagnosis:
    """Tell which latents are used.

    Parameters
    ----------
    posterior : Posterior
        Of the rows to examine (n, K).
    likelihood : Likelihood
        Trained.
    samples : int
        Of the bound that was trained with: decides what can be done about a finding.

    Returns
    -------
    Diagnosis
        ``kl_per_latent``, the mean over rows in nats; ``active_latents``, how many have a mean
        whose variance over rows is above 0.01; ``noise_sd`` of a Gaussian likelihood, in units of
        the scaled data. A finding names latents whose KL is below 0.01 nats, as ``z0``, ``z1``, ...
    """
    kl = kl_to_standard_normal(*posterior).mean(0)
    active = int((posterior.mean.var(0, correction=0) > _ACTIVE).sum())
    statistics: dict[str, float | list[float]] = {
        "kl_per_latent": kl.tolist(),
        "active_latents": active,
    }
    if likelihood.name == "gaussian":
        statistics["noise_sd"] = float((0.5 * likelihood.log_variance).exp())
    collapsed = (kl < _COLLAPSED).nonzero().flatten().tolist()
    return Diagnosis(statistics, [_finding(collapsed, len(kl), samples)] if collapsed else [])


def _finding(collapsed: list[int], latents: int, samples: int) -> str:
    ways = [] if samples > 1 else ["kl_warm_up=0.3", "free_bits=0.1", "a smaller beta"]
    if len(collapsed) < latents:
        ways.append(f"fewer latents (latent_dim={latents - len(collapsed)})")
    elif samples > 1:
        ways.append("samples=1 with kl_warm_up=0.3")
    names = ", ".join(f"z{k}" for k in collapsed)
    try_ = " or ".join([", ".join(ways[:-1]), ways[-1]] if len(ways) > 1 else ways)
    return (
        f"{len(collapsed)} of {latents} latents collapsed and say nothing about a row (KL below "
        f"{_COLLAPSED} nats): {names}; try {try_}."
    )
