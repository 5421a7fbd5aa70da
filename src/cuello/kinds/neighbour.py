"""The neighbour autoencoder: rows that are near one another have codes that are.

Shapes: B rows of a batch, ... the shape of one row, K latents.
"""

from __future__ import annotations

import math
from math import inf

import numpy as np
import torch
from scipy.optimize import curve_fit
from torch import Tensor

from cuello.data.edges import edge_histograms
from cuello.errors import InputError, unknown
from cuello.kinds.base import AutoencoderModule, Batch, Parts, register
from cuello.kinds.prior import wide

__all__ = ["Neighbour", "similarity_curve"]

COMPARED_BY = ("auto", "rows", "edges")
_PUSHING = 256  # of the neighbours in a batch push each row: enough, and a batch may be large
_FIRST_PUSH = 0.02
_RISE = 0.7
_FLOOR = 1e-3  # squared distance: the repulsion of equal codes would have no end


@register("neighbour")
class Neighbour(AutoencoderModule):
    """Reconstruct, and let codes be near one another where rows are: maps of 2 latents.

    Each row comes with one of its nearest rows, whose code is pulled near; codes of other rows are
    pushed away. The encoder then maps new rows, too.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes.
    neighbours : int
        How many nearest rows a row has, at least 1: few show detail, many the whole. They are found
        by comparing all scaled training rows, once, before training.
    compared_by : {"auto", "rows", "edges"}
        What of them: every element, or the directions of edges in images
        (:mod:`cuello.data.edges`), which say more of what is shown. ``auto`` is edges for images.
    negatives : float
        How much all pushing counts, at least 0, where the pull of the neighbour counts 1.
    min_distance : float
        How near codes may come before being nearer is no more alike, in [0, 1).
    weight : float
        Of the neighbours beside the reconstruction, above 0.

    Notes
    -----
    Two codes are alike by q = 1 / (1 + a d^(2b)), d their distance, which is fitted to 1 up to
    ``min_distance`` and to exp(min_distance - d) beyond. The term is the cross-entropy of q with
    who is a neighbour: -log q of a row and its neighbour, plus ``negatives`` times the mean of
    -log(1 - q) over all other pairs of the batch. It says nothing of where a code is, only of
    distances, so latents have no scale.

    Source: Sainburg, McInnes and Gentner, "Parametric UMAP embeddings for representation and
    semisupervised learning", Neural Computation 33 (2021), which draws the other rows; here they
    are all that a batch holds, up to 256. Two things let rows that belong together gather before
    others stand between them, as the early exaggeration of t-SNE does: pushing begins at a fiftieth
    and is whole after 70 % of the training, and in its first half a row comes with a neighbour of a
    neighbour of a neighbour.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> import cuello
    >>> X = load_digits().images
    >>> model = cuello.AutoencoderModule("neighbour", latent_dim=2, hidden=(64,), epochs=5).fit(X)
    >>> model.transform(X).shape, sorted(model.history_[-1].train)
    ((1797, 2), ['neighbours', 'reconstruction'])
    """

    equation = "loss(x, decode(z)) + weight * (-log q(z, near z) - negatives * log(1 - q(z, z')))"
    paper = "Sainburg, McInnes and Gentner 2021, Neural Computation 33, 2881-2907"

    def __init__(
        self,
        parts: Parts,
        *,
        neighbours: int = 15,
        compared_by: str = "auto",
        negatives: float = 5.0,
        min_distance: float = 0.1,
        weight: float = 1.0,
    ) -> None:
        super().__init__(parts)
        if neighbours < 1 or neighbours != int(neighbours):
            raise InputError(
                f"neighbours={neighbours!r} must be a whole number from 1 on; 15 is usual."
            )
        are_images = len(parts.shape) > 1 and not parts.reconstruction.missing
        if compared_by not in COMPARED_BY:
            raise unknown("compared_by", compared_by, COMPARED_BY)
        if compared_by == "edges" and not are_images:
            raise InputError("compared_by='edges' is for images; use 'rows', or 'auto'.")
        if not 0.0 <= negatives < inf:
            raise InputError(f"negatives={negatives!r} must be at least 0; 5 is usual.")
        if not 0.0 <= min_distance < 1.0:
            raise InputError(f"min_distance={min_distance!r} must be in [0, 1); 0.1 is usual.")
        if not 0.0 < weight < inf:
            raise InputError(
                f"weight={weight!r} must be above 0; 1 is usual, and without neighbours it is "
                "kind='plain'."
            )
        self.neighbours = int(neighbours)
        self.by_edges = are_images and compared_by != "rows"
        self.negatives = negatives
        self.weight = weight
        self.scale, self.power = similarity_curve(min_distance)

    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K)."""
        z: Tensor = self.encoder(x)
        return z

    def compared(self, x: Tensor) -> Tensor:
        """Return the edges of images (n, numbers), or else the rows as they are."""
        if not self.by_edges:
            return super().compared(x)
        return torch.from_numpy(edge_histograms(x.numpy(force=True))).to(x.device)

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the reconstruction loss, and what neighbours and others are to one another."""
        assert batch.near is not None
        z = self.encoder(batch.x)
        return {
            "reconstruction": self.reconstruction(self.decoder(z), batch.x),
            "neighbours": self.weight * self._apart(z, self.encoder(batch.near)),
        }

    def _apart(self, z: Tensor, near: Tensor) -> Tensor:
        """Return the cross-entropy of codes (B, K) with those of one neighbour each."""
        z, near = wide(z), wide(near)
        with torch.autocast(z.device.type, enabled=False):
            pulled = self._unlike((z - near).square().sum(dim=1)).log1p().mean()
            if len(z) < 2:
                return pulled
            some = near[:_PUSHING]
            # By differences: products would round off how near the nearest are.
            distances = torch.cdist(z, some, compute_mode="donot_use_mm_for_euclid_dist")
            unlike = self._unlike(distances.square())
            pushed = unlike.log1p() - unlike.log()  # -log(1 - q)
            others = ~torch.eye(len(z), len(some), dtype=torch.bool, device=z.device)
            return pulled + self._push() * (pushed * others).sum() / others.sum()

    def _push(self) -> float:
        """Return how much pushing counts now."""
        begun = max(0.0, 1.0 - self.progress / _RISE)
        return self.negatives * math.pow(_FIRST_PUSH, begun)

    def _unlike(self, squares: Tensor) -> Tensor:
        """Return a d^(2b), which is 1 / q - 1."""
        return self.scale * (squares + _FLOOR) ** self.power


def similarity_curve(min_distance: float) -> tuple[float, float]:
    """Fit a and b of 1 / (1 + a d^(2b)), for distances 0 to 3, by least squares.

    Examples
    --------
    >>> [round(number, 2) for number in similarity_curve(0.1)]
    [1.58, 0.9]
    """
    d = np.linspace(0.0, 3.0, 300)
    wanted = np.exp(-np.maximum(d - min_distance, 0.0))
    (a, b), _ = curve_fit(lambda d, a, b: 1.0 / (1.0 + a * d ** (2.0 * b)), d, wanted)
    return float(a), float(b)
