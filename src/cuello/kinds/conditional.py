"""The conditional variational autoencoder.

Shapes: S draws, B samples of a batch, ... the shape of one sample, K latent dimensions, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cuello.errors import InputError, Use
from cuello.kinds.base import KINDS, Batch, Parts
from cuello.kinds.evidence import EvidenceModule, LogDensity, decode_draws, importance_estimate

__all__ = ["Conditional"]


@KINDS.register("conditional", aliases=("cvae",))
class Conditional(EvidenceModule):
    """Learns, from labelled samples, to draw new samples of a chosen class.

    The decoder is given the class of each sample. An embedding need not hold what the class says
    already: it is left with what samples of a class differ in.

    Parameters
    ----------
    parts : Parts
        Networks, loss, sizes and at least one class; the encoder gives 2K numbers, the decoder
        takes K + C.
    likelihood, variance, beta, kl_warm_up, free_bits, samples
        As for the kind ``variational``.

    Notes
    -----
    A class enters the decoder as a one-hot vector, an unknown one as the frequencies of the
    classes. They are counted while training, from one of each, so that they are uniform before the
    first sample. The encoder does not see the class, so samples can be encoded without it, and the
    prior of z is N(0, I) for every class. A held-out sample without a class is given the one whose
    reconstruction is nearest, as it is in ``reconstruct``.

    Terms are in nats a sample whatever ``reduction`` says; see the kind ``variational``.

    Source: Sohn, Lee and Yan, "Learning structured output representation using deep conditional
    generative models", NeurIPS 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> import cuello
    >>> X, y = load_digits(return_X_y=True)
    >>> model = cuello.Autoencoder("conditional", hidden=(64,), latent_dim=4, epochs=5)
    >>> model = model.fit(X.reshape(-1, 8, 8), y)
    >>> model.module_.sample(10, torch.arange(10)).shape  # one new sample of each class
    torch.Size([10, 8, 8])
    """

    display_name = "Conditional variational (CVAE)"
    equation = "-E_q[log p(x | z, y)] + beta KL(q(z | x) || N(0, I))"
    paper = "Sohn, Lee and Yan 2015, NeurIPS 28"
    needs_labels = True
    class_counts: Tensor
    """(C,), samples of each class seen while training, plus one."""

    def _prepare(self, parts: Parts) -> None:
        if parts.classes < 1:
            raise InputError(
                "needs at least one class",
                argument="kind",
                value="conditional",
                remedy=(
                    "give fit a class for every sample, -1 where it has none, or ",
                    Use("kind", "variational"),
                ),
            )
        self.register_buffer("class_counts", torch.ones(parts.classes, dtype=torch.int64))

    @classmethod
    def decoder_width(cls, latent_dim: int, classes: int) -> int:
        """Return K + C."""
        return latent_dim + classes

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return samples (B, ...) in the range of the scaled data.

        Parameters
        ----------
        z : Tensor
            (B, K).
        y : Tensor or None
            (B,) class codes, -1 where unknown; None: all are.
        """
        return self.reconstruction.activate(self.decoder(self._with_class(z, y)))

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return each sample after encoding and decoding (B, ...).

        Parameters
        ----------
        x : Tensor
            (B, ...).
        y : Tensor or None
            (B,) class codes; where unknown, the class whose reconstruction is nearest.
        """
        z = self.encode(x)
        return self.decode(z, self._complete_classes(x, z, y))

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the terms of the negative bound, in nats a sample."""
        if self.training and batch.y is not None:
            # Not torch.bincount, for which a GPU has to wait.
            self.class_counts += self._one_hot(batch.y).sum(0)
        log_density = self._log_density(batch.x, batch.y)
        return self.bound.terms(self.posterior(batch.x), log_density, self.progress)

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the same terms; samples without a class are given the nearest one."""
        y = self._complete_classes(batch.x, self.encode(batch.x), batch.y)
        return self.losses(Batch(batch.x, y), "autoencoder")

    def log_likelihood(self, x: Tensor, draws: int, y: Tensor | None = None) -> Tensor:
        """Estimate log p(x | y) of each sample from this many draws of z, (B,) in nats.

        Without classes it is log p(x), with every class as probable as it was frequent.
        """

        def mixture(z: Tensor) -> Tensor:
            log_frequencies = self._frequencies().log()
            classes = zip(log_frequencies, self._every_class(x), strict=True)
            return torch.stack([p + self._log_density(x, c)(z) for p, c in classes]).logsumexp(0)

        log_density = mixture if y is None else self._log_density(x, y)
        return importance_estimate(self.posterior(x), log_density, draws, x[0].numel())

    def sample(self, samples: int, y: Tensor | None = None) -> Tensor:
        """Decode draws from the prior: means of new samples (samples, ...).

        Parameters
        ----------
        samples : int
            How many.
        y : Tensor or None
            (samples,) class codes; None draws them by their frequencies.
        """
        if y is None:
            y = self._frequencies().multinomial(samples, replacement=True)
        return self.decode(torch.randn(samples, self.latent_dim, device=y.device), y)

    def _frequencies(self) -> Tensor:
        return self.class_counts / self.class_counts.sum()

    def _one_hot(self, y: Tensor) -> Tensor:
        """Return (B, C) truths; all are false in a sample of an unknown class."""
        return y[:, None] == torch.arange(len(self.class_counts), device=y.device)

    def _with_class(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Append to z (..., B, K) the decoder's input for the classes (B,)."""
        condition = self._frequencies().to(z)
        if y is not None:
            condition = torch.where(y[:, None] < 0, condition, self._one_hot(y).to(z))
        return torch.cat([z, condition.expand(*z.shape[:-1], -1)], dim=-1)

    def _log_density(self, x: Tensor, y: Tensor | None) -> LogDensity:
        return lambda z: self.likelihood(decode_draws(self.decoder, self._with_class(z, y)), x)

    def _every_class(self, x: Tensor) -> list[Tensor]:
        """Return, for every class, (B,) of it."""
        return [torch.full((len(x),), c, device=x.device) for c in range(len(self.class_counts))]

    def _complete_classes(self, x: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """Replace unknown classes by the one under which the sample is most probable."""
        fits = [self._log_density(x, c)(z[None])[0] for c in self._every_class(x)]
        nearest = torch.stack(fits).argmax(0)
        return nearest if y is None else torch.where(y < 0, nearest, y)
