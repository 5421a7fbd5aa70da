"""The vector-quantised autoencoder.

Shapes: B samples of a batch, K latent dimensions, G groups of them, C vectors in the codebook of a
group, each of W = K / G numbers.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from cuello.errors import Argument, InputError
from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Diagnosis, Parts
from cuello.kinds.losses import full_precision
from cuello.options import Range

__all__ = ["VectorQuantised"]

_VECTOR_WIDTH = 4  # numbers in a vector, where the groups are chosen
_DEAD_SHARE = 0.1  # a vector is dead that is used less than this share of the mean use
_FEW_IN_USE = 0.1
_SMOOTHING = 1e-5
_HASTE = 9.0  # the first moving means are over a tenth of the batches so far


@KINDS.register("vector-quantised", aliases=("vqvae",))
class VectorQuantised(AutoencoderModule):
    """Learns embeddings made of a few choices, each of one vector out of a learned codebook.

    An embedding is then a short word: with 8 groups of 256 vectors a sample is kept in 8 bytes, and
    ``indices`` gives them.

    Parameters
    ----------
    groups : int
        Number of groups an embedding is cut into, each with a codebook of its own; must divide
        ``latent_dim``. 0: groups of about 4 numbers.
    codebook_size : int
        Vectors in each codebook.
    commitment : float
        Weight of the distance from the encoder's outputs to their vectors.
    decay : float
        Share of a vector that is kept at each step; less in the first steps, when the encoder's
        outputs move faster than such a vector could follow.

    Notes
    -----
    Source: van den Oord et al., "Neural discrete representation learning" (2017); moving means
    after its appendix A.1, with the Laplace smoothing of its authors' program. Vectors begin on
    samples of the first batches, and those that fall out of use are moved onto samples again, as in
    Dhariwal et al., "Jukebox" (2020). The codebook learns from ``losses`` in training mode only;
    before it has seen a batch, embeddings are left as they are.
    """

    equation = "loss(x, decode(q)) + commitment * |encode(x) - q|², q the nearest vectors"
    paper = "van den Oord et al. 2017, arXiv:1711.00937"

    batches: Tensor
    """Number of batches that the codebook has learned from."""
    codebook: Tensor
    """(G, C, W), the vectors: means of the encoder's outputs that were nearest to them."""
    usage: Tensor
    """(G, C), how many samples of a batch took each vector: a moving mean over batches."""
    sums: Tensor

    def __init__(
        self,
        parts: Parts,
        *,
        groups: Annotated[int, Range(0)] = 0,
        codebook_size: Annotated[int, Range(2)] = 256,
        commitment: Annotated[float, Range(0.0)] = 0.25,
        decay: Annotated[float, Range(0.0, 1.0, open_high=True)] = 0.99,
    ) -> None:
        super().__init__(parts)
        latents = parts.latent_dim
        divisors = [n for n in range(1, latents + 1) if latents % n == 0]
        if groups != 0 and groups not in divisors:
            raise InputError(
                ("must divide ", Argument("latent_dim", latents)),
                argument="groups",
                value=groups,
                allowed=f"{', '.join(map(str, divisors))}, or 0 to choose by size",
            )
        self.groups = groups or min(divisors, key=lambda n: abs(n - latents / _VECTOR_WIDTH))
        self.commitment = commitment
        self.decay = decay
        shape = (self.groups, codebook_size, latents // self.groups)
        self.register_buffer("batches", torch.zeros(()))
        self.register_buffer("codebook", torch.zeros(shape))
        self.register_buffer("usage", torch.zeros(shape[:2]))
        self.register_buffer("sums", torch.zeros(shape))

    def encode(self, x: Tensor) -> Tensor:
        """Return the embeddings (B, K): vectors of the codebook, with the encoder's gradient."""
        z = full_precision(self.encoder(x))
        return _straight_through(z, self._nearest(z)[1])

    def features(self, x: Tensor) -> Tensor:
        """Return the embeddings before they are quantised (B, K).

        A few labels move an encoder by less than it takes to change the nearest vector, or by so
        much that all change at once.
        """
        z: Tensor = self.encoder(x)
        return z

    def indices(self, x: Tensor) -> Tensor:
        """Return the number of each group's vector (B, G), below C."""
        return self._nearest(full_precision(self.encoder(x)))[0]

    def prior(self, samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw each group's vector as often as training used it, independently (samples, K)."""
        chosen = self._smoothed().multinomial(samples, replacement=True, generator=generator)
        return self.codebook.gather(1, self._whole(chosen)).transpose(0, 1).flatten(1)

    def nearest_embedding(self, z: Tensor) -> Tensor:
        """Return the vectors of the codebook that are nearest to these embeddings (B, K)."""
        return self._nearest(full_precision(z))[1]

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return reconstruction and commitment; in training mode the codebook learns, too."""
        z = full_precision(self.encoder(batch.x))
        groups = self._cut(z.detach())
        if self.training:
            self.batches += 1.0
            self._revive(groups)
        chosen, q = self._nearest(z)
        if self.training:
            self._update(groups, chosen.T)
        distance = mse_loss(z, q)
        if self.reconstruction.reduction == "sum":  # over latents, as the other term over elements
            distance = distance * self.latent_dim
        output = self.decoder(_straight_through(z, q))
        return {
            "reconstruction": self.reconstruction(output, batch.x),
            "commitment": self.commitment * distance,
        }

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Count the vectors that samples (n, ...) use.

        ``vectors_in_use`` is how many a group, ``perplexity`` how many there would be if all were
        used equally: exp(entropy of their use). Both are means over groups.
        """
        chosen = self.indices(x)
        size = self.usage.shape[1]
        counts = torch.stack([torch.bincount(group, minlength=size) for group in chosen.T])
        share = counts.double() / len(x)
        perplexity = float(torch.special.entr(share).sum(dim=1).exp().mean())
        in_use = float((counts > 0).double().sum(dim=1).mean())
        findings = []
        if in_use < _FEW_IN_USE * min(size, len(x)):
            findings.append(
                f"only {in_use:.3g} of {size} vectors in a codebook are in use; lower the kind's "
                "codebook_size, or train longer with a lower learning_rate."
            )
        return Diagnosis({"perplexity": perplexity, "vectors_in_use": in_use}, findings)

    def _cut(self, z: Tensor) -> Tensor:
        """Cut embeddings (B, K) into groups (G, B, W)."""
        # Not len(z): an exported network takes any number of samples.
        return z.reshape(z.shape[0], self.groups, -1).transpose(0, 1)

    @torch.no_grad()
    def _nearest(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the index of the nearest vector of each group (B, G), and the vectors (B, K)."""
        with torch.autocast(z.device.type, enabled=False):
            # |z|² is the same for every vector and left out.
            lengths = self.codebook.square().sum(dim=2)[:, None, :]
            products = self._cut(z) @ self.codebook.mT
            chosen = (lengths - 2.0 * products).argmin(dim=2)  # (G, B)
        vectors = self.codebook.gather(1, self._whole(chosen))
        q = vectors.transpose(0, 1).flatten(1)
        return chosen.T, torch.where(self.batches > 0, q, z)

    def _whole(self, index: Tensor) -> Tensor:
        """Expand indices (G, n) to whole vectors (G, n, W)."""
        return index[:, :, None].expand(-1, -1, self.codebook.shape[2])

    @torch.no_grad()
    def _update(self, groups: Tensor, chosen: Tensor) -> None:
        """Move each vector toward the mean of the groups (G, B, W) that chose it (G, B)."""
        counts = torch.zeros_like(self.usage)
        counts.scatter_add_(1, chosen, torch.ones_like(chosen, dtype=counts.dtype))
        sums = torch.zeros_like(self.sums).scatter_add_(1, self._whole(chosen), groups)
        kept = (self.batches / (self.batches + _HASTE)).clamp_max(self.decay)
        self.usage.lerp_(counts, 1.0 - kept)
        self.sums.lerp_(sums, 1.0 - kept)
        self.codebook.copy_(self.sums / self._smoothed()[:, :, None])

    def _smoothed(self) -> Tensor:
        """Return the usage (G, C), away from 0 and with the same total."""
        total = self.usage.sum(dim=1, keepdim=True)
        raised = self.usage + _SMOOTHING
        return raised * (total / (total + self.usage.shape[1] * _SMOOTHING))

    @torch.no_grad()
    def _revive(self, groups: Tensor) -> None:
        """Move vectors that are out of use, at first all, onto random ones of these (G, B, W).

        Nothing here waits for the device: the moves are computed for every vector, and kept where
        it is dead.
        """
        count, batch, _ = groups.shape
        mean_use = batch / self.usage.shape[1]
        dead = self.usage < _DEAD_SHARE * mean_use
        order = torch.rand(count, batch, device=groups.device).argsort(dim=1)
        rank = dead.cumsum(dim=1) - 1  # among the dead; -1 before the first
        target = groups.gather(1, self._whole(order.gather(1, rank % batch)))
        # Two vectors on one sample never part: where there are fewer samples than dead vectors, the
        # others stay dead, and the next batch takes them.
        use = torch.where(rank < batch, mean_use, 0.5 * _DEAD_SHARE * mean_use)
        self.usage.copy_(torch.where(dead, use, self.usage))
        self.codebook.copy_(torch.where(dead[:, :, None], target, self.codebook))
        moved = target * self._smoothed()[:, :, None]
        self.sums.copy_(torch.where(dead[:, :, None], moved, self.sums))


def _straight_through(z: Tensor, q: Tensor) -> Tensor:
    """Return ``q`` exactly; its gradient goes to ``z``."""
    return q + (z - z.detach())
