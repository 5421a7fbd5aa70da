"""The plain autoencoder."""

from __future__ import annotations

from torch import Tensor

from cuello.kinds.base import KINDS, AutoencoderModule, Batch

__all__ = ["Plain"]


@KINDS.register("plain", aliases=("ae",))
class Plain(AutoencoderModule):
    """Learns to rebuild a sample from a short summary of it, its embedding.

    With linear networks and squared error it spans the same subspace as PCA (Baldi and Hornik
    1989).

    Notes
    -----
    Source: Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks",
    Science 313 (2006).
    """

    equation = "loss(x, decode(encode(x)))"
    paper = "Hinton and Salakhutdinov 2006, Science 313, 504-507"
    linear_skip = True

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the reconstruction loss."""
        return {"reconstruction": self.reconstruction(self.decoder(self.encoder(batch.x)), batch.x)}
