"""The variational autoencoder: a code is a distribution, and a row has a likelihood.

Shapes: S samples, B rows of a batch, ... the shape of one row, K latents.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cuello.kinds import evidence
from cuello.kinds.base import AutoencoderModule, Batch, Diagnosis, Parts, register
from cuello.kinds.gaussians import Posterior, split
from cuello.kinds.likelihoods import Likelihood

__all__ = ["Variational"]


@register("variational")
class Variational(AutoencoderModule):
    """Maximise a lower bound on the likelihood of the rows under a model with Gaussian latents.

    z is drawn from N(0, I) and x from the likelihood around decode(z); the encoder gives mean and
    log-variance of a Gaussian q(z | x) that stands in for the posterior.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes; the encoder gives 2K numbers.
    likelihood : str
        ``bernoulli``, ``gaussian``, or ``auto``: Bernoulli where the loss is ``bce`` (data in
        0..1), Gaussian where it is ``mse``. Other losses belong to no likelihood and are refused.
    variance : float
        Of the Gaussian, in squared units of the scaled data; 0 learns one number for all elements.
    beta : float
        Weight of the KL, at least 0; above 1 it favours few and independent latents.
    kl_warm_up : float
        Share of the training in [0, 1] over which the weight of the KL rises linearly from 0.
    free_bits : float
        Nats a latent, on average over a batch, that cost nothing.
    samples : int
        Draws of z a row. From 2 on, the importance-weighted bound is maximised, which is tighter;
        beta, kl_warm_up and free_bits must then stay at their defaults.

    Notes
    -----
    Terms are in nats per row: summed over elements and averaged over rows whatever ``reduction``
    says, for only then do likelihood and KL stand in the right proportion. ``reconstruction`` is
    minus the expected log-likelihood and ``kl`` the weighted KL; with ``samples`` from 2 on there
    is one term, ``bound``, minus the importance-weighted bound. Of a Gaussian, they can be
    negative: a density can be above 1.

    Log-variances are softly clamped to [-14, 8], and the learned standard deviation of the noise
    to 1/10,000 of the range of the data and up, so that a large learning rate overflows nothing.

    Sources: Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014; Higgins et al.,
    "beta-VAE", ICLR 2017; Bowman et al., "Generating sentences from a continuous space", CoNLL
    2016 (warm-up); Kingma et al., "Improved variational inference with inverse autoregressive
    flow", NeurIPS 2016 (free bits); Burda et al., "Importance weighted autoencoders", ICLR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> import cuello
    >>> X = load_digits().images
    >>> model = cuello.Autoencoder("variational", hidden=(64,), latent_dim=2, epochs=20).fit(X)
    >>> sorted(model.history_[-1].train)
    ['kl', 'reconstruction']
    >>> model.diagnosis_.statistics["active_latents"], model.log_likelihood(X[:5]).shape
    (2, (5,))
    """

    equation = "-E_q[log p(x | z)] + beta KL(q(z | x) || N(0, I))"
    paper = "Kingma and Welling 2014, arXiv:1312.6114"
    normal_prior = True

    def __init__(
        self,
        parts: Parts,
        *,
        likelihood: str = "auto",
        variance: float = 0.0,
        beta: float = 1.0,
        kl_warm_up: float = 0.0,
        free_bits: float = 0.0,
        samples: int = 1,
    ) -> None:
        super().__init__(parts)
        self.likelihood = Likelihood(likelihood, variance, parts.reconstruction)
        self.bound = evidence.Bound(
            beta=beta, kl_warm_up=kl_warm_up, free_bits=free_bits, samples=samples
        )

    @classmethod
    def encoder_width(cls, latent_dim: int) -> int:
        """Return 2K: a mean and a log-variance for each latent."""
        return 2 * latent_dim

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean and log-variance of q(z | x), (B, K) each."""
        return split(self.encoder(x))

    def encode(self, x: Tensor) -> Tensor:
        """Return the mean of q(z | x), (B, K)."""
        return self.posterior(x).mean

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the terms of the negative bound, in nats per row."""
        log_density = self._log_density(batch.x)
        return self.bound.terms(self.posterior(batch.x), log_density, self.progress)

    def log_likelihood(self, x: Tensor, samples: int) -> Tensor:
        """Estimate log p(x) of each row from this many draws of z, (B,) in nats."""
        log_density = self._log_density(x)
        return evidence.estimate(self.posterior(x), log_density, samples, x[0].numel())

    def sample(self, rows: int) -> Tensor:
        """Decode draws from the prior: means of new rows (rows, ...)."""
        device = next(self.parameters()).device
        return self.decode(torch.randn(rows, self.latent_dim, device=device))

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Return the KL of each latent, how many are active, the noise, and which collapsed."""
        return evidence.diagnose(self.posterior(x), self.likelihood, self.bound.samples)

    def _log_density(self, x: Tensor) -> evidence.LogDensity:
        return lambda z: self.likelihood(evidence.per_sample(self.decoder, z), x)
