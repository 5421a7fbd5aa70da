"""The conditional variational autoencoder.

Shapes: S draws, B samples of a batch, ... the shape of one sample, K latent dimensions, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cuello.errors import InputError, Use
from cuello.kinds.base import KINDS, Batch, Parts
from cuello.kinds.variational import Variational

__all__ = ["Conditional"]


@KINDS.register("conditional", aliases=("cvae",))
class Conditional(Variational):
    """Learns, from labelled samples, to draw new samples of a chosen class.

    The decoder is given the class of each sample. An embedding need not hold what the class says
    already: it is left with what samples of a class differ in.

    Parameters
    ----------
    likelihood, variance, beta, kl_warm_up, free_bits, samples
        As for the kind ``variational``.

    Notes
    -----
    A class enters the decoder as a one-hot vector, an unknown one as the frequencies of the
    classes, counted while training from one of each. The encoder does not see the class, so samples
    can be encoded without it, and the prior of z is N(0, I) for every class. A held-out sample
    without a class is given the one whose reconstruction is nearest, as in ``reconstruct``.

    Source: Sohn, Lee and Yan, "Learning structured output representation using deep conditional
    generative models", NeurIPS 2015.
    """

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
        """Return samples (B, ...) of embeddings (B, K) and class codes (B,), -1 where unknown."""
        return self.reconstruction.activate(self.decoder(self._with_class(z, y)))

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return each sample after encoding and decoding (B, ...).

        Where its class is unknown, it is the one whose reconstruction is nearest.
        """
        z = self.encode(x)
        return self.decode(z, self._complete_classes(x, z, y))

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the terms of the negative bound, in nats a sample."""
        y = batch.y
        if y is None:
            y = torch.full((len(batch.x),), -1, device=batch.x.device)
        elif self.training:
            # Not torch.bincount, for which a GPU has to wait.
            self.class_counts += self._one_hot(y).sum(0)
        return super().losses(Batch(batch.x, y), optimizer)

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the same terms; samples without a class are given the nearest one."""
        y = self._complete_classes(batch.x, self.encode(batch.x), batch.y)
        return self.losses(Batch(batch.x, y), "autoencoder")

    def log_density(self, z: Tensor, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return log p(x | z, y) in nats (S, B).

        Without classes it is log p(x | z), with every class as probable as it was frequent.
        """
        if y is not None:
            return super().log_density(self._with_class(z, y), x)
        classes = zip(self._frequencies().log(), self._every_class(x), strict=True)
        return torch.stack([p + self.log_density(z, x, c) for p, c in classes]).logsumexp(0)

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

    def _every_class(self, x: Tensor) -> list[Tensor]:
        """Return, for every class, (B,) of it."""
        return [torch.full((len(x),), c, device=x.device) for c in range(len(self.class_counts))]

    def _complete_classes(self, x: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """Replace unknown classes by the one under which the sample is most probable."""
        fits = [self.log_density(z[None], x, c)[0] for c in self._every_class(x)]
        nearest = torch.stack(fits).argmax(0)
        return nearest if y is None else torch.where(y < 0, nearest, y)
