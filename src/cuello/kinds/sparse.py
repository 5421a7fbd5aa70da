"""The sparse autoencoder: few latents are active in any one row.

Shapes: B rows of a batch, K latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cuello.errors import InputError, unknown
from cuello.kinds.base import AutoencoderModule, Batch, Diagnosis, Parts, register

__all__ = ["PENALTIES", "Sparse"]

_TINY = 1e-8  # keeps the logarithm of a mean of 0 or 1 finite
_ACTIVE = 0.05  # of the largest activation; below it a latent hardly moves the reconstruction


def _l1(z_BK: Tensor, rate: float) -> Tensor:
    return z_BK.abs().mean()


def _kl(z_BK: Tensor, rate: float) -> Tensor:
    mean_K = z_BK.mean(dim=0)
    on_K = rate * (math.log(rate) - mean_K.clamp_min(_TINY).log())
    off_K = (1 - rate) * (math.log(1 - rate) - (1 - mean_K).clamp_min(_TINY).log())
    return (on_K + off_K).mean()


PENALTIES: dict[str, Callable[[Tensor, float], Tensor]] = {"l1": _l1, "kl": _kl}
"""Name -> ``penalty(codes, rate)``, a mean over latents."""


@register("sparse")
class Sparse(AutoencoderModule):
    """Minimise the reconstruction loss plus a price on activity in the code.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes.
    penalty : str
        ``l1``: the mean size of an activation, over rows and latents. ``kl``: how far the mean
        activation of each latent is from ``rate``, as the Kullback-Leibler divergence between two
        coins, averaged over latents; needs a code in 0..1. The mean is over a batch, which should
        have several times ``1 / rate`` rows.
    weight : float
        Price, at least 0, beside the loss of one element: with ``reduction="sum"`` the penalty
        counts as often as a row has elements, so that a weight means the same in both. Ng's beta,
        on sums over D elements and K latents, is ``weight * D / K``.
    rate : float
        Mean activation that ``kl`` aims at, in (0, 1).

    Raises
    ------
    InputError
        If an option is outside its range, or the encoder leaves 0..1 and ``penalty="kl"``.

    Notes
    -----
    The code is a sigmoid unless ``latent_activation`` says otherwise. ``relu`` goes well with
    ``l1`` and gives exact zeros.

    Source: Ng, "Sparse autoencoder", CS294A lecture notes (2011), for ``kl``; Olshausen and Field,
    "Emergence of simple-cell receptive field properties by learning a sparse code for natural
    images", Nature 381 (1996), for ``l1``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from cuello import AutoencoderModule
    >>> X = load_digits().images
    >>> def mean_activation(weight):
    ...     options = {"weight": weight}
    ...     model = AutoencoderModule("sparse", kind_options=options, hidden=(64,), latent_dim=16,
    ...                         learning_rate=0.003, epochs=60).fit(X)
    ...     return model.diagnosis_.statistics["mean_activation"]
    >>> mean_activation(0.02) < 0.8 * mean_activation(0.0)
    True
    """

    equation = "loss(x, decode(z)) + weight * (mean |z| or KL(rate || mean z)), z = encode(x)"
    paper = "Ng 2011, CS294A lecture notes; Olshausen and Field 1996, Nature 381, 607-609"
    latent_activation = "sigmoid"

    def __init__(
        self, parts: Parts, *, penalty: str = "l1", weight: float = 0.03, rate: float = 0.05
    ) -> None:
        super().__init__(parts)
        if penalty not in PENALTIES:
            raise unknown("penalty", penalty, PENALTIES)
        if not 0.0 <= weight < math.inf:
            raise InputError(f"weight={weight!r} must be at least 0; 0.03 is a good start.")
        if not 0.0 < rate < 1.0:
            raise InputError(
                f"rate={rate!r} must be in (0, 1), the mean activation of a latent; 0.05 is usual."
            )
        if penalty == "kl" and not _stays_in_unit(parts.encoder, parts.shape):
            raise InputError(
                "penalty='kl' needs a code in 0..1 but the encoder gives other values; use "
                "latent_activation='auto', end your own encoder with torch.nn.Sigmoid(), or use "
                "penalty='l1'."
            )
        self.penalty = PENALTIES[penalty]
        self.rate = rate
        by_sum = parts.reconstruction.reduction == "sum"
        self.weight = weight * (math.prod(parts.shape) if by_sum else 1)

    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K)."""
        z: Tensor = self.encoder(x)
        return z

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the reconstruction loss and the weighted penalty."""
        z = self.encoder(batch.x)
        # Means of bfloat16 are rounded to 3 digits, too few for logarithms of rare activations.
        wide = z.to(torch.promote_types(z.dtype, torch.float32))
        return {
            "reconstruction": self.reconstruction(self.decoder(z), batch.x),
            "sparsity": self.weight * self.penalty(wide, self.rate),
        }

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Say how active the latents are on rows (n, ...), and which never are.

        Returns
        -------
        Diagnosis
            ``mean_activation`` (their mean size), ``share_active`` (share of all activations above
            a twentieth of the largest), ``dead_latents`` (how many are below that in every row).
        """
        size = self.encode(x).abs()
        active = size > _ACTIVE * size.max()
        dead = (~active.any(dim=0)).nonzero().flatten().tolist()
        statistics: dict[str, float | list[float]] = {
            "mean_activation": float(size.mean()),
            "share_active": float(active.float().mean()),
            "dead_latents": float(len(dead)),
        }
        return Diagnosis(statistics, [_name_the_dead(dead, self.latent_dim)] if dead else [])


def _name_the_dead(dead: list[int], latent_dim: int) -> str:
    shown = ", ".join(map(str, dead[:10])) + (", ..." if len(dead) > 10 else "")
    return (
        f"{len(dead)} of {latent_dim} latents are never active (number {shown}, from 0): they "
        "carry nothing; use a smaller weight, more epochs, or a shorter code."
    )


@torch.no_grad()
def _stays_in_unit(encoder: nn.Module, shape: tuple[int, ...]) -> bool:
    """Try it on rows far outside any scaling: works for every encoder, whatever its last layer."""
    generator = torch.Generator().manual_seed(0)
    rows = 1000.0 * torch.randn((64, *shape), generator=generator)
    was_training = encoder.training
    z = encoder.eval()(rows)
    encoder.train(was_training)
    return bool(((z >= 0.0) & (z <= 1.0)).all())
