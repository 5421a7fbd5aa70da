"""The plain autoencoder: reconstruct what went in."""

from __future__ import annotations

from torch import Tensor

from cuello.kinds.base import AutoencoderModule, Batch, register

__all__ = ["Plain"]


@register("plain")
class Plain(AutoencoderModule):
    """Minimise the distance between x and decode(encode(x)).

    Source: Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks",
    Science 313 (2006). With linear networks and squared error it spans the same subspace as PCA
    (Baldi and Hornik 1989).
    """

    equation = "loss(x, decode(encode(x)))"
    paper = "Hinton and Salakhutdinov 2006, Science 313, 504-507"

    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K)."""
        z: Tensor = self.encoder(x)
        return z

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the reconstruction loss."""
        return {"reconstruction": self.reconstruction(self.decoder(self.encoder(batch.x)), batch.x)}
