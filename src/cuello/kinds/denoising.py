"""The denoising autoencoder."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from cuello.data.noise import NOISES, Noise
from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Parts
from cuello.options import Range

__all__ = ["Denoising"]


@KINDS.register("denoising", aliases=("dae",))
class Denoising(AutoencoderModule):
    """Learns to rebuild a sample from a noisy copy of it.

    Copying the input does not help, so the embedding has to hold how the elements of a sample
    depend on one another, which makes it a good start for a classifier.

    Parameters
    ----------
    noise : str
        Name of the noise, see :data:`cuello.data.noise.NOISES`.
    noise_level : float
        Rate of damaged elements, or the standard deviation of Gaussian noise on the scaled data.
    noise_share : float
        Share of the samples that are damaged. The others teach the network to reconstruct clean
        samples well too, which strong noise alone does not.
    noise_until : float
        Share of the training after which no sample is damaged any more; 1 for the best restoring.

    Notes
    -----
    Source: Vincent et al., "Stacked denoising autoencoders", JMLR 11 (2010).
    """

    equation = "loss(x, decode(encode(noise(x))))"
    paper = "Vincent et al. 2010, JMLR 11, 3371-3408"
    stacked_options = ("noise_level",)
    restores = True
    linear_skip = True

    level: Tensor

    def __init__(
        self,
        parts: Parts,
        *,
        noise: Annotated[str, NOISES] = "masking",
        noise_level: Annotated[float, Range(0.0)] = 0.75,
        noise_share: Annotated[float, Range(0.0, 1.0, open_low=True)] = 0.25,
        noise_until: Annotated[float, Range(0.0, 1.0, open_low=True)] = 0.7,
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
        self.noise_until = noise_until
        # Not part of what is saved: it follows from the options.
        level = torch.tensor(noise_level, dtype=torch.float64)
        self.register_buffer("level", level, persistent=False)

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the loss of reconstructing clean samples from damaged ones."""
        # At the end of a training, and so on held-out samples, progress is 1.
        clean = self.progress > self.noise_until
        x = batch.x if clean else self.noise(batch.x, level=self.level)
        return {"reconstruction": self.reconstruction(self.decoder(self.encoder(x)), batch.x)}
