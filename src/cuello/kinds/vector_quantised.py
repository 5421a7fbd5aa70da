"""The vector-quantised autoencoder: a code is a few choices, each of one vector out of a codebook.

Shapes: B rows of a batch, K latents, G groups of them, C vectors in the codebook of a group, each
of W = K / G numbers.
"""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from cuello.errors import InputError
from cuello.kinds.base import AutoencoderModule, Batch, Diagnosis, Parts, register
from cuello.kinds.prior import wide

__all__ = ["VectorQuantised"]

_WIDTH = 4  # numbers in a vector, where the groups are chosen
_DEAD = 0.1  # a vector is dead that is used less than this share of the mean use
_FEW = 0.1
_SMOOTHING = 1e-5
_HASTE = 9.0  # the first moving means are over a tenth of the batches so far


@register("vector-quantised")
class VectorQuantised(AutoencoderModule):
    """Replace each part of the code by the nearest vector of a learned codebook.

    A code is then a short word: with 8 groups of 256 vectors a row is kept in 8 bytes, and
    ``indices`` gives them.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes.
    groups : int
        Into how many parts a code is cut, each with a codebook of its own; must divide the length
        of the code. 0: parts of about 4 numbers.
    codebook_size : int
        Vectors in each codebook, at least 2.
    commitment : float
        Weight of the distance from the encoder's outputs to their vectors, at least 0.
    decay : float
        How much of a vector is kept at each step, in [0, 1); less in the first steps, when the
        encoder's outputs move faster than such a vector could follow.

    Attributes
    ----------
    codebook : Tensor
        (G, C, W) the vectors: means of the encoder's outputs that were nearest to them.
    usage : Tensor
        (G, C) how many rows of a batch took each vector; like the vectors a moving mean over
        batches.
    batches : Tensor
        Scalar, how many the codebook has learned from.

    Notes
    -----
    Source: van den Oord et al., "Neural discrete representation learning" (2017); moving means
    after its appendix A.1, with the Laplace smoothing of its authors' program. Vectors begin on
    rows of the first batches, and those that fall out of use are moved onto rows again, as in
    Dhariwal et al., "Jukebox" (2020). The codebook learns from ``losses`` in training mode only;
    before it has seen a batch, codes are left as they are.
    """

    equation = "loss(x, decode(q)) + commitment * |encode(x) - q|², q the nearest vectors"
    paper = "van den Oord et al. 2017, arXiv:1711.00937"

    batches: Tensor
    codebook: Tensor
    usage: Tensor
    sums: Tensor

    def __init__(
        self,
        parts: Parts,
        *,
        groups: int = 0,
        codebook_size: int = 256,
        commitment: float = 0.25,
        decay: float = 0.99,
    ) -> None:
        super().__init__(parts)
        latents = parts.latent_dim
        possible = [n for n in range(1, latents + 1) if latents % n == 0]
        if groups != 0 and groups not in possible:
            listed = ", ".join(map(str, possible))
            raise InputError(
                f"groups={groups} must divide latent_dim={latents}: use one of {listed}, or 0 to "
                "have it chosen."
            )
        if codebook_size < 2:
            raise InputError(f"codebook_size={codebook_size} must be at least 2; 256 is usual.")
        if not 0.0 <= commitment < inf:
            raise InputError(f"commitment={commitment} must be at least 0; 0.25 is usual.")
        if not 0.0 <= decay < 1.0:
            raise InputError(f"decay={decay} must be in [0, 1); 0.99 is usual.")
        self.groups = groups or min(possible, key=lambda n: abs(n - latents / _WIDTH))
        self.commitment = commitment
        self.decay = decay
        shape = (self.groups, codebook_size, latents // self.groups)
        self.register_buffer("batches", torch.zeros(()))
        self.register_buffer("codebook", torch.zeros(shape))
        self.register_buffer("usage", torch.zeros(shape[:2]))
        self.register_buffer("sums", torch.zeros(shape))

    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K): vectors of the codebook.

        Its gradient is passed on to the encoder as it is (straight through), so an encoder can be
        trained further through the fixed codebook.
        """
        z = wide(self.encoder(x))
        return _straight_through(z, self._nearest(z)[1])

    def features(self, x: Tensor) -> Tensor:
        """Return the code before it is quantised (B, K).

        A few labels move an encoder by less than it takes to change the nearest vector, or by so
        much that all change at once.
        """
        z: Tensor = self.encoder(x)
        return z

    def indices(self, x: Tensor) -> Tensor:
        """Return which vector each group of each row's code is (B, G), whole numbers below C."""
        return self._nearest(wide(self.encoder(x)))[0]

    def prior(self, rows: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw each group's vector as often as training used it (rows, K).

        Groups are drawn independently of one another, which they are not in codes of real rows.
        """
        chosen = self._smoothed().multinomial(rows, replacement=True, generator=generator)
        return self.codebook.gather(1, self._rows(chosen)).transpose(0, 1).flatten(1)

    def nearest_embedding(self, z: Tensor) -> Tensor:
        """Return the vectors of the codebook that are nearest to these parts of codes (B, K)."""
        return self._nearest(wide(z))[1]

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return reconstruction and commitment; in training mode the codebook learns, too."""
        z = wide(self.encoder(batch.x))
        parts = self._cut(z.detach())
        if self.training:
            self.batches += 1.0
            self._revive(parts)
        chosen, q = self._nearest(z)
        if self.training:
            self._update(parts, chosen.T)
        apart = mse_loss(z, q)
        if self.reconstruction.reduction == "sum":  # over latents, as the other term over elements
            apart = apart * self.latent_dim
        output = self.decoder(_straight_through(z, q))
        return {
            "reconstruction": self.reconstruction(output, batch.x),
            "commitment": self.commitment * apart,
        }

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Count the vectors that these rows use.

        ``codes_in_use`` is how many a group, ``perplexity`` how many there would be if all were
        used equally: exp(entropy of their use). Both are means over groups.
        """
        chosen = self.indices(x)
        size = self.usage.shape[1]
        counts = torch.stack([torch.bincount(group, minlength=size) for group in chosen.T])
        share = counts.double() / len(x)
        perplexity = float(torch.special.entr(share).sum(dim=1).exp().mean())
        in_use = float((counts > 0).double().sum(dim=1).mean())
        findings = []
        if in_use < _FEW * min(size, len(x)):
            findings.append(
                f"only {in_use:.3g} of {size} vectors in a codebook are in use; lower the kind's "
                "codebook_size, or train longer with a lower learning_rate."
            )
        return Diagnosis({"perplexity": perplexity, "codes_in_use": in_use}, findings)

    def _cut(self, z: Tensor) -> Tensor:
        """Cut codes (B, K) into groups (G, B, W)."""
        # Not len(z): an exported network takes any number of rows.
        return z.reshape(z.shape[0], self.groups, -1).transpose(0, 1)

    @torch.no_grad()
    def _nearest(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the index of the nearest vector of each group (B, G), and the vectors (B, K)."""
        with torch.autocast(z.device.type, enabled=False):
            # |z|² is the same for every vector and left out.
            lengths = self.codebook.square().sum(dim=2)[:, None, :]
            products = self._cut(z) @ self.codebook.mT
            chosen = (lengths - 2.0 * products).argmin(dim=2)  # (G, B)
        vectors = self.codebook.gather(1, self._rows(chosen))
        q = vectors.transpose(0, 1).flatten(1)
        return chosen.T, torch.where(self.batches > 0, q, z)

    def _rows(self, index: Tensor) -> Tensor:
        """Expand indices (G, n) to whole vectors (G, n, W)."""
        return index[:, :, None].expand(-1, -1, self.codebook.shape[2])

    @torch.no_grad()
    def _update(self, parts: Tensor, chosen: Tensor) -> None:
        """Move each vector toward the mean of the parts (G, B, W) that chose it (G, B)."""
        counts = torch.zeros_like(self.usage)
        counts.scatter_add_(1, chosen, torch.ones_like(chosen, dtype=counts.dtype))
        sums = torch.zeros_like(self.sums).scatter_add_(1, self._rows(chosen), parts)
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
    def _revive(self, parts: Tensor) -> None:
        """Move vectors that are out of use, at first all, onto random ones of the parts (G, B, W).

        Nothing here waits for the device: the moves are computed for every vector, and kept where
        it is dead.
        """
        groups, rows, _ = parts.shape
        mean_use = rows / self.usage.shape[1]
        dead = self.usage < _DEAD * mean_use
        order = torch.rand(groups, rows, device=parts.device).argsort(dim=1)
        rank = dead.cumsum(dim=1) - 1  # the how manieth dead one; -1 before the first
        there = parts.gather(1, self._rows(order.gather(1, rank % rows)))
        # Two vectors on one row never part: where there are fewer rows than dead vectors, the
        # others stay dead, and the next batch takes them.
        use = torch.where(rank < rows, mean_use, 0.5 * _DEAD * mean_use)
        self.usage.copy_(torch.where(dead, use, self.usage))
        self.codebook.copy_(torch.where(dead[:, :, None], there, self.codebook))
        moved = there * self._smoothed()[:, :, None]
        self.sums.copy_(torch.where(dead[:, :, None], moved, self.sums))


def _straight_through(z: Tensor, q: Tensor) -> Tensor:
    """Return ``q`` exactly; its gradient goes to ``z``."""
    return q + (z - z.detach())
