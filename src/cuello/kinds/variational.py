"""The variational autoencoder.

Shapes: S draws, B samples of a batch, ... the shape of one sample, K latent dimensions.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from cuello.errors import Argument, InputError, Use
from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Diagnosis, Parts
from cuello.kinds.distributions import (
    LIKELIHOODS,
    DecoderLikelihood,
    Posterior,
    draw_latents,
    kl_to_standard_normal,
    split_posterior,
)
from cuello.options import Range

__all__ = ["Variational"]

_ACTIVE_VARIANCE = 0.01  # of a latent's mean over samples (Burda et al. 2016, section 5.2)
_COLLAPSED = 0.01  # nats
_MOST_DECODED = 2**22  # elements of decoded draws at a time: 16 MB


@KINDS.register("variational", aliases={"vae": {}, "iwae": {"samples": 5}})
class Variational(AutoencoderModule):
    """Learns a distribution of embeddings for each sample, from which new samples can be drawn.

    z is drawn from N(0, I) and x from the likelihood around decode(z); the encoder gives mean and
    log-variance of a Gaussian q(z | x) that stands in for the posterior. A lower bound on the
    likelihood of the samples is maximised.

    Parameters
    ----------
    likelihood : str
        ``bernoulli``, ``gaussian``, or ``auto``: Bernoulli where the loss is ``bce`` (data in
        0..1), Gaussian where it is ``mse``. Other losses belong to no likelihood and are refused.
    variance : float
        Of the Gaussian, in squared units of the scaled data; 0 learns one number for all elements.
    beta : float
        Weight of the KL; above 1 it favours few and independent latent dimensions.
    kl_warm_up : float
        Share of the training over which the weight of the KL rises linearly from 0.
    free_bits : float
        Nats a latent dimension, on average over a batch, that cost nothing.
    samples : int
        Draws of z a sample. From 2 on, the importance-weighted bound is maximised, which is
        tighter; beta, kl_warm_up and free_bits must then stay at their defaults.

    Notes
    -----
    Terms are in nats a sample, summed over elements and averaged over samples whatever
    ``reduction`` says: only then do likelihood and KL stand in the right proportion. Of a Gaussian
    they can be negative, since a density can be above 1. With ``samples`` from 2 on there is one
    term, ``bound``, minus the importance-weighted bound.

    Sources: Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014; Higgins et al.,
    "beta-VAE", ICLR 2017; Bowman et al., "Generating sentences from a continuous space", CoNLL
    2016 (warm-up); Kingma et al., "Improved variational inference with inverse autoregressive
    flow", NeurIPS 2016 (free bits); Burda et al., "Importance weighted autoencoders", ICLR 2016.
    """

    equation = "-E_q[log p(x | z)] + beta KL(q(z | x) || N(0, I))"
    paper = "Kingma and Welling 2014, arXiv:1312.6114"
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
        self.beta, self.kl_warm_up, self.free_bits = beta, kl_warm_up, free_bits
        self.samples = samples
        for name, default in (("beta", 1.0), ("kl_warm_up", 0.0), ("free_bits", 0.0)):
            if samples > 1 and (value := getattr(self, name)) != default:
                acts = "acts on the KL, which the importance-weighted bound of "
                raise InputError(
                    (acts, Argument("samples", samples), " lacks"),
                    argument=name,
                    value=value,
                    remedy=(Use("samples", 1), ", or ", Argument(name, default)),
                )
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

    def log_density(self, z: Tensor, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return log p(x | z, y) in nats (S, B), of inputs of the decoder (S, B, ...)."""
        sums = self.decoder(z.flatten(0, 1))
        log_density: Tensor = self.likelihood(sums.reshape(*z.shape[:2], *sums.shape[1:]), x)
        return log_density

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the terms of the negative bound, in nats a sample."""
        posterior = self.posterior(batch.x)
        z, log_ratio_SB = draw_latents(posterior, self.samples)
        log_density_SB = self.log_density(z, batch.x, batch.y)
        if self.samples > 1:  # Burda et al. 2016, equation 8
            log_weights_SB = log_density_SB + log_ratio_SB
            return {"bound": math.log(self.samples) - log_weights_SB.logsumexp(0).mean()}
        kl_K = kl_to_standard_normal(*posterior).mean(0)
        if self.free_bits:  # Kingma et al. 2016, equation 15
            kl_K = kl_K.clamp_min(self.free_bits)
        warm = min(self.progress / self.kl_warm_up, 1.0) if self.kl_warm_up else 1.0
        return {"reconstruction": -log_density_SB.mean(), "kl": self.beta * warm * kl_K.sum()}

    def log_likelihood(self, x: Tensor, draws: int, y: Tensor | None = None) -> Tensor:
        """Estimate log p(x | y), without classes log p(x), of each sample (B,) in nats.

        By importance sampling from the posterior, with this many draws of z a sample. The estimate
        is low on average, and less so with more draws (Rezende, Mohamed and Wierstra 2014,
        appendix E).
        """
        posterior = self.posterior(x)
        at_once = max(1, _MOST_DECODED // x.numel())
        total = torch.full_like(posterior.mean[:, 0], -math.inf)
        for start in range(0, draws, at_once):
            z, log_ratio_SB = draw_latents(posterior, min(at_once, draws - start))
            log_weights_SB = self.log_density(z, x, y) + log_ratio_SB
            total = torch.logaddexp(total, log_weights_SB.logsumexp(0))
        return total - math.log(draws)

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Measure how much each latent dimension is used on samples (n, ...).

        ``kl_per_latent`` is the mean over samples in nats; ``active_latents`` is how many have a
        mean whose variance over samples is above 0.01; ``noise_sd`` is of a Gaussian likelihood, in
        units of the scaled data. A finding names dimensions whose KL is below 0.01 nats.
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
        findings = [_finding(collapsed, len(kl), self.samples)] if collapsed else []
        return Diagnosis(statistics, findings)


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
