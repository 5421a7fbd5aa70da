"""The conditional variational autoencoder: the decoder is told the class.

Shapes: S samples, B rows of a batch, ... the shape of one row, K latents, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cuello.errors import InputError
from cuello.kinds import evidence
from cuello.kinds.base import AutoencoderModule, Batch, Diagnosis, Parts, register
from cuello.kinds.gaussians import Posterior, split
from cuello.kinds.likelihoods import Likelihood

__all__ = ["Conditional"]


@register("conditional")
class Conditional(AutoencoderModule):
    """Maximise a lower bound on the likelihood of the rows, given the class of each.

    The code need not hold what the class says already: it is left with what rows of a class differ
    in, and new rows can be drawn class by class.

    Parameters
    ----------
    parts : Parts
        Networks, loss, sizes and at least one class; the encoder gives 2K numbers, the decoder
        takes K + C.
    likelihood, variance, beta, kl_warm_up, free_bits, samples
        As for the kind ``variational``.

    Notes
    -----
    A known class enters the decoder as a one-hot vector, an unknown one as the frequencies of the
    classes. They are counted while training, from one of each, so that they are uniform before the
    first row. The encoder does not see the class, so rows can be encoded without it, and the prior
    of z is N(0, I) for every class. On held-out rows without a class, the class is the one whose
    reconstruction is nearest, as it is in ``reconstruct``.

    Terms are in nats per row whatever ``reduction`` says; see the kind ``variational``.

    Source: Sohn, Lee and Yan, "Learning structured output representation using deep conditional
    generative models", NeurIPS 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> import cuello
    >>> X, y = load_digits(return_X_y=True)
    >>> model = cuello.AutoencoderModule("conditional", hidden=(64,), latent_dim=4, epochs=20)
    >>> model = model.fit(X.reshape(-1, 8, 8), y)
    >>> model.module_.sample(10, torch.arange(10)).shape  # one new row of each class
    torch.Size([10, 8, 8])
    """

    equation = "-E_q[log p(x | z, y)] + beta KL(q(z | x) || N(0, I))"
    paper = "Sohn, Lee and Yan 2015, NeurIPS 28"
    needs_labels = True
    normal_prior = True
    class_counts: Tensor
    """(C,), rows of each class seen while training, plus one."""

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
        if parts.classes < 1:
            raise InputError(
                "classes=0: kind='conditional' needs at least one class; give fit a class for "
                "every row, -1 where it has none, or use kind='variational'."
            )
        self.likelihood = Likelihood(likelihood, variance, parts.reconstruction)
        self.bound = evidence.Bound(
            beta=beta, kl_warm_up=kl_warm_up, free_bits=free_bits, samples=samples
        )
        self.register_buffer("class_counts", torch.ones(parts.classes, dtype=torch.int64))

    @classmethod
    def encoder_width(cls, latent_dim: int) -> int:
        """Return 2K: a mean and a log-variance for each latent."""
        return 2 * latent_dim

    @classmethod
    def decoder_width(cls, latent_dim: int, classes: int) -> int:
        """Return K + C."""
        return latent_dim + classes

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean and log-variance of q(z | x), (B, K) each."""
        return split(self.encoder(x))

    def encode(self, x: Tensor) -> Tensor:
        """Return the mean of q(z | x), (B, K)."""
        return self.posterior(x).mean

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return rows (B, ...) in the range of the scaled data.

        Parameters
        ----------
        z : Tensor
            (B, K).
        y : Tensor or None
            (B,) class codes, -1 where unknown; None: all are.
        """
        return self.reconstruction.activate(self.decoder(self._with_class(z, y)))

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return each row after encoding and decoding (B, ...).

        Parameters
        ----------
        x : Tensor
            (B, ...).
        y : Tensor or None
            (B,) class codes; where unknown, the class whose reconstruction is nearest.
        """
        z = self.encode(x)
        return self.decode(z, self._known_or_nearest(x, z, y))

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the terms of the negative bound, in nats per row."""
        if self.training and batch.y is not None:
            # Not torch.bincount, for which a GPU has to wait.
            self.class_counts += self._one_hot(batch.y).sum(0)
        log_density = self._log_density(batch.x, batch.y)
        return self.bound.terms(self.posterior(batch.x), log_density, self.progress)

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the same on held-out rows; of those without a class, for the nearest one."""
        y = self._known_or_nearest(batch.x, self.encode(batch.x), batch.y)
        return self.losses(Batch(batch.x, y), "autoencoder")

    def log_likelihood(self, x: Tensor, samples: int, y: Tensor | None = None) -> Tensor:
        """Estimate log p(x | y) of each row from this many draws of z, (B,) in nats.

        Without classes it is log p(x), with every class as probable as it was frequent.
        """

        def mixture(z: Tensor) -> Tensor:
            log_frequencies = self._frequencies().log()
            every = self._every_class(x)
            return torch.stack(
                [
                    p + self._log_density(x, c)(z)
                    for p, c in zip(log_frequencies, every, strict=True)
                ]
            ).logsumexp(0)

        log_density = mixture if y is None else self._log_density(x, y)
        return evidence.estimate(self.posterior(x), log_density, samples, x[0].numel())

    def sample(self, rows: int, y: Tensor | None = None) -> Tensor:
        """Decode draws from the prior: means of new rows (rows, ...).

        Parameters
        ----------
        rows : int
            How many.
        y : Tensor or None
            (rows,) class codes; None draws them by their frequencies.
        """
        if y is None:
            y = self._frequencies().multinomial(rows, replacement=True)
        return self.decode(torch.randn(rows, self.latent_dim, device=y.device), y)

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Return the KL of each latent, how many are active, the noise, and which collapsed."""
        return evidence.diagnose(self.posterior(x), self.likelihood, self.bound.samples)

    def _frequencies(self) -> Tensor:
        return self.class_counts / self.class_counts.sum()

    def _one_hot(self, y: Tensor) -> Tensor:
        """Return (B, C) truths; all are false in a row of an unknown class."""
        return y[:, None] == torch.arange(len(self.class_counts), device=y.device)

    def _with_class(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Append to z (..., B, K) what the decoder is told of the classes (B,)."""
        told = self._frequencies().to(z)
        if y is not None:
            told = torch.where(y[:, None] < 0, told, self._one_hot(y).to(z))
        return torch.cat([z, told.expand(*z.shape[:-1], -1)], dim=-1)

    def _log_density(self, x: Tensor, y: Tensor | None) -> evidence.LogDensity:
        return lambda z: self.likelihood(
            evidence.per_sample(self.decoder, self._with_class(z, y)), x
        )

    def _every_class(self, x: Tensor) -> list[Tensor]:
        """Return, for every class, (B,) of it."""
        return [torch.full((len(x),), c, device=x.device) for c in range(len(self.class_counts))]

    def _known_or_nearest(self, x: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """Replace unknown classes by the one under which the row is most probable."""
        fits = [self._log_density(x, c)(z[None])[0] for c in self._every_class(x)]
        nearest = torch.stack(fits).argmax(0)
        return nearest if y is None else torch.where(y < 0, nearest, y)
