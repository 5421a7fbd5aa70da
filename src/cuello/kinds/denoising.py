"""The denoising autoencoder: reconstruct the clean row from a damaged one."""

from __future__ import annotations

import torch
from torch import Tensor

from cuello.data.noise import Noise
from cuello.kinds.base import AutoencoderModule, Batch, Parts, register

__all__ = ["Denoising"]


@register("denoising")
class Denoising(AutoencoderModule):
    """Minimise the distance between x and decode(encode(damaged x)).

    Copying the input no longer pays, so the code has to hold what the elements of a row tell about
    one another; that is what makes it a good start for a classifier.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes.
    noise : str
        How rows are damaged, see :data:`cuello.data.noise.NOISES`.
    noise_level : float
        Rate of damaged elements, or the standard deviation of Gaussian noise on the scaled data.
    noise_share : float
        Share of the rows in (0, 1] that are damaged. The others teach the network to reconstruct
        clean rows well too, which strong noise alone does not.

    Notes
    -----
    Source: Vincent et al., "Stacked denoising autoencoders", JMLR 11 (2010).
    """

    equation = "loss(x, decode(encode(noise(x))))"
    paper = "Vincent et al. 2010, JMLR 11, 3371-3408"
    stacked_options = ("noise_level",)
    restores = True

    level: Tensor

    def __init__(
        self,
        parts: Parts,
        *,
        noise: str = "masking",
        noise_level: float = 0.75,
        noise_share: float = 0.9,
    ) -> None:
        super().__init__(parts)
        self.noise = Noise(
            noise,
            noise_level,
            share=noise_share,
            low=parts.reconstruction.low,
            high=parts.reconstruction.high,
            missing=parts.reconstruction.missing,
        )
        # Not part of what is saved: it follows from the options.
        level = torch.tensor(noise_level, dtype=torch.float64)
        self.register_buffer("level", level, persistent=False)

    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K) of the row as it is: no noise is added."""
        z: Tensor = self.encoder(x)
        return z

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the loss of reconstructing the clean rows from damaged ones."""
        sums = self.decoder(self.encoder(self.noise(batch.x, level=self.level)))
        return {"reconstruction": self.reconstruction(sums, batch.x)}
