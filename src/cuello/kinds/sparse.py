"""The sparse autoencoder.

Shapes: B samples of a batch, K latent dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from cuello.errors import Argument, InputError, Use
from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Diagnosis, Parts
from cuello.kinds.losses import full_precision
from cuello.networks.summary import evaluating
from cuello.options import Range

__all__ = ["PENALTIES", "Sparse"]

_LOG_FLOOR = 1e-8  # keeps the logarithm of a mean of 0 or 1 finite
_ACTIVE_SHARE = 0.05  # of the largest activation; below it a latent hardly moves the reconstruction


def _kl(z_BK: Tensor, rate: float) -> Tensor:
    mean_K = z_BK.mean(dim=0)
    on_K = rate * (math.log(rate) - mean_K.clamp_min(_LOG_FLOOR).log())
    off_K = (1 - rate) * (math.log(1 - rate) - (1 - mean_K).clamp_min(_LOG_FLOOR).log())
    return (on_K + off_K).mean()


PENALTIES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "l1": lambda z_BK, rate: z_BK.abs().mean(),
    "kl": _kl,
}
"""Name -> ``penalty(embeddings, rate)``, a mean over latent dimensions."""


@KINDS.register("sparse", aliases=("sae",))
class Sparse(AutoencoderModule):
    """Learns embeddings in which only a few numbers are active for any one sample.

    Parameters
    ----------
    penalty : str
        ``l1``: the mean size of an activation, over samples and latent dimensions. ``kl``: the
        Kullback-Leibler divergence of each dimension's mean activation from ``rate``, as of two
        coins, averaged over dimensions; needs embeddings in 0..1. The mean is over a batch, which
        should have several times ``1 / rate`` samples.
    weight : float
        Weight of the penalty beside the loss of one element: with ``reduction="sum"`` it counts as
        often as a sample has elements. Ng's beta, on sums over D elements and K latent dimensions,
        is ``weight * D / K``.
    rate : float
        Target of the mean activation for ``kl``.

    Notes
    -----
    Embeddings are sigmoids unless ``latent_activation`` says otherwise. ``relu`` goes well with
    ``l1`` and gives exact zeros.

    Source: Ng, "Sparse autoencoder", CS294A lecture notes (2011), for ``kl``; Olshausen and Field,
    "Emergence of simple-cell receptive field properties by learning a sparse code for natural
    images", Nature 381 (1996), for ``l1``.
    """

    equation = "loss(x, decode(z)) + weight * (mean |z| or KL(rate || mean z)), z = encode(x)"
    paper = "Ng 2011, CS294A lecture notes; Olshausen and Field 1996, Nature 381, 607-609"
    latent_activation = "sigmoid"

    def __init__(
        self,
        parts: Parts,
        *,
        penalty: Annotated[str, PENALTIES] = "l1",
        weight: Annotated[float, Range(0.0)] = 0.03,
        rate: Annotated[float, Range(0.0, 1.0, open_low=True, open_high=True)] = 0.05,
    ) -> None:
        super().__init__(parts)
        if penalty == "kl" and not _stays_in_unit(parts.encoder, parts.shape):
            raise InputError(
                "needs embeddings in 0..1, and the encoder gives other values",
                argument="penalty",
                value=penalty,
                remedy=(
                    Use("latent_activation", "auto"),
                    ", end your own encoder with torch.nn.Sigmoid(), or ",
                    Argument("penalty", "l1"),
                ),
            )
        self.penalty = PENALTIES[penalty]
        self.rate = rate
        self.weight = parts.per_element(weight)

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the reconstruction loss and the weighted penalty."""
        z = self.encoder(batch.x)
        # Means of bfloat16 are rounded to 3 digits, too few for logarithms of rare activations.
        return {
            "reconstruction": self.reconstruction(self.decoder(z), batch.x),
            "sparsity": self.weight * self.penalty(full_precision(z), self.rate),
        }

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Measure how active latent dimensions are on samples (n, ...), and name the dead ones.

        ``mean_activation`` is their mean size, ``share_active`` the share of all activations above
        a twentieth of the largest, ``dead_latents`` how many are below that in all samples.
        """
        size = self.encode(x).abs()
        active = size > _ACTIVE_SHARE * size.max()
        dead = (~active.any(dim=0)).nonzero().flatten().tolist()
        statistics: dict[str, float | list[float]] = {
            "mean_activation": float(size.mean()),
            "share_active": float(active.float().mean()),
            "dead_latents": float(len(dead)),
        }
        if not dead:
            return Diagnosis(statistics, [])
        shown = ", ".join(map(str, dead[:10])) + (", ..." if len(dead) > 10 else "")
        finding = (
            f"{len(dead)} of {self.latent_dim} latent dimensions are never active (number {shown}, "
            "from 0): they carry nothing; use a smaller weight, more epochs, or fewer dimensions."
        )
        return Diagnosis(statistics, [finding])


def _stays_in_unit(encoder: nn.Module, shape: tuple[int, ...]) -> bool:
    """Try samples far outside any scaling: works for every encoder, whatever its last layer."""
    x = 1000.0 * torch.randn((64, *shape), generator=torch.Generator().manual_seed(0))
    with evaluating(encoder):
        z = encoder(x)
    return bool(((z >= 0.0) & (z <= 1.0)).all())
