"""The masked autoencoder.

Shapes: B samples of a batch, ... the shape of one sample, N patches of a sample.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from cuello.errors import InputError, Use
from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Parts
from cuello.options import Range

__all__ = ["Masked"]


@KINDS.register("masked", aliases=("mae",))
class Masked(AutoencoderModule):
    """Learns to fill in the parts of a sample that were hidden from it.

    A hidden patch cannot be copied from its neighbours, as a hidden pixel can; so the embedding has
    to hold what the sample is a picture of. Tables hide single columns.

    Parameters
    ----------
    share : float
        Share of the patches of each sample that are hidden, to the nearest whole patch; at least
        one is hidden and one visible. Every sample draws its own.
    patch : int
        Height and width of a patch in pixels; those at the right and lower edge are cut where it
        does not divide the image. All channels of a patch are hidden together. 0: about a seventh
        of the shorter side. Tables take 0 or 1.
    visible_weight : float
        How much a visible element counts, where a hidden one counts 1. Above 0 the network learns
        to reconstruct what it sees too, which whole samples are made of.

    Notes
    -----
    Hidden elements are 0, and visible ones grow by the number of patches over the number of visible
    ones: the encoder's first sums then have the mean that they have on whole samples, which it gets
    after training. (The paper's transformer has no such sums.) NaN, the end of a short sequence,
    stays NaN.

    Source: He, Chen, Xie, Li, Dollar and Girshick, "Masked autoencoders are scalable vision
    learners", CVPR (2022).
    """

    equation = "loss(hidden x, decode(encode(visible x))) + visible_weight * the same on visible x"
    paper = "He et al. 2022, CVPR, 15979-15988"
    restores = True

    def __init__(
        self,
        parts: Parts,
        *,
        share: Annotated[float, Range(0.0, 1.0, open_low=True, open_high=True)] = 0.5,
        patch: Annotated[int, Range(0)] = 0,
        visible_weight: Annotated[float, Range(0.0)] = 0.1,
    ) -> None:
        super().__init__(parts)
        self.visible_weight = visible_weight
        self.shape = parts.shape
        self.patch = _patch(patch, parts.shape)
        self.grid = tuple(math.ceil(side / self.patch) for side in parts.shape[-2:])
        patches = math.prod(self.grid)
        if patches < 2:
            raise InputError(
                "hides a part of each sample, and samples of 1 pixel or column have none",
                argument="kind",
                value="masked",
                remedy=Use("kind", "plain"),
            )
        self.hidden_patches = min(max(round(share * patches), 1), patches - 1)
        self.growth = patches / (patches - self.hidden_patches)

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the loss on hidden elements, and on visible ones as far as they count."""
        seen, hidden = self.hide(batch.x)
        sums = self.decoder(self.encoder(seen))
        weight = torch.where(hidden, 1.0, self.visible_weight)
        return {"reconstruction": self.reconstruction(sums, batch.x, weight)}

    def hide(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return samples (B, ...) as the encoder gets them in training, and what they lack."""
        batch, patches = len(x), math.prod(self.grid)
        order_BN = torch.rand(batch, patches, device=x.device).argsort(dim=1)
        hidden = (order_BN < self.hidden_patches).reshape(batch, *self.grid)
        for dim, side in enumerate(self.shape[-2:], start=1):
            hidden = hidden.repeat_interleave(self.patch, dim).narrow(dim, 0, side)
        if len(self.shape) == 3:
            hidden = hidden.unsqueeze(1)
        hidden = hidden.expand(x.shape)
        return x * torch.where(hidden, 0.0, self.growth).to(x.dtype), hidden  # 0 times NaN is NaN


def _patch(patch: int, shape: tuple[int, ...]) -> int:
    """Return the side of a patch in pixels; 1 for tables."""
    short, long = min(shape[-2:]), max(shape[-2:])
    largest = 1 if len(shape) == 1 else max(min(short, long - 1), 1)  # so that there are two
    if patch > largest:
        allowed = f"in 0..{largest} for samples of shape {shape}; 0 chooses by size"
        raise InputError(argument="patch", value=patch, allowed=allowed)
    return int(patch) or min(max(round(short / 7), 1), largest)
