"""The neighbour autoencoder.

Shapes: B samples of a batch, ... the shape of one sample, K latent dimensions.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from scipy.optimize import curve_fit
from torch import Tensor

from cuello.data.edges import edge_histograms
from cuello.errors import Argument, InputError, Use
from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Parts
from cuello.kinds.losses import full_precision
from cuello.options import Range

__all__ = ["NeighbourPreserving", "similarity_curve"]

_MOST_REPELLING = 256  # neighbours in a batch: enough, and a batch may be large
_FIRST_REPULSION = 0.02
_RISE = 0.7
_FLOOR = 1e-3  # squared distance: the repulsion of equal embeddings would have no end


@KINDS.register("neighbour")
class NeighbourPreserving(AutoencoderModule):
    """Learns embeddings in which similar samples are close together, good for 2-D projections.

    Each sample comes with one of its nearest samples, whose embedding is pulled close; embeddings
    of other samples are pushed away. The encoder then places new samples, too.

    Parameters
    ----------
    neighbours : int
        Number of nearest samples that count as neighbours: few show detail, many the whole. They
        are found among all scaled training samples, once, before training.
    compared_by : str
        How samples are compared: ``values`` by every element, ``edges`` by the directions of edges
        in images (:mod:`cuello.data.edges`), which say more of what is shown; ``auto`` is edges for
        images.
    negatives : float
        Weight of the repulsion, where the attraction of the neighbour counts 1.
    min_distance : float
        Distance below which embeddings are alike already.
    weight : float
        Weight of the neighbours beside the reconstruction.

    Notes
    -----
    Two embeddings are alike by q = 1 / (1 + a d^(2b)), d their distance, which is fitted to 1 up to
    ``min_distance`` and to exp(min_distance - d) beyond. The term is the cross-entropy of q with
    who is a neighbour: -log q of a sample and its neighbour, plus ``negatives`` times the mean of
    -log(1 - q) over all other pairs of the batch. Only distances count, so latent dimensions have
    no scale.

    Source: Sainburg, McInnes and Gentner, "Parametric UMAP embeddings for representation and
    semisupervised learning", Neural Computation 33 (2021), which draws the other samples; here they
    are all that a batch holds, up to 256. Similar samples gather before others stand between them,
    as by the early exaggeration of t-SNE: repulsion is whole only after 70 % of the training, and
    in its first half a sample comes with a neighbour of a neighbour of a neighbour.
    """

    equation = "loss(x, decode(z)) + weight * (-log q(z, near z) - negatives * log(1 - q(z, z')))"
    paper = "Sainburg, McInnes and Gentner 2021, Neural Computation 33, 2881-2907"

    def __init__(
        self,
        parts: Parts,
        *,
        neighbours: Annotated[int, Range(1)] = 15,
        compared_by: Annotated[str, ("auto", "values", "edges")] = "auto",
        negatives: Annotated[float, Range(0.0)] = 5.0,
        min_distance: Annotated[float, Range(0.0, 1.0, open_high=True)] = 0.1,
        weight: Annotated[float, Range(0.0, open_low=True)] = 1.0,
    ) -> None:
        super().__init__(parts)
        are_images = len(parts.shape) > 1 and not parts.reconstruction.missing
        if compared_by == "edges" and not are_images:
            raise InputError(
                "is for images",
                argument="compared_by",
                value=compared_by,
                remedy=(Use("compared_by", "values"), ", or ", Argument("compared_by", "auto")),
            )
        self.neighbours = int(neighbours)
        self.by_edges = are_images and compared_by != "values"
        self.negatives = negatives
        self.weight = weight
        self.scale, self.power = similarity_curve(min_distance)

    def neighbour_features(self, x: Tensor) -> Tensor:
        """Return the edges of images (n, numbers), or else the samples as they are."""
        if not self.by_edges:
            return super().neighbour_features(x)
        return torch.from_numpy(edge_histograms(x.numpy(force=True))).to(x.device)

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the reconstruction loss, and the cross-entropy of who is a neighbour."""
        assert batch.neighbour is not None
        z = self.encoder(batch.x)
        return {
            "reconstruction": self.reconstruction(self.decoder(z), batch.x),
            "neighbours": self.weight * self._cross_entropy(z, self.encoder(batch.neighbour)),
        }

    def _cross_entropy(self, z: Tensor, neighbour: Tensor) -> Tensor:
        """Return the cross-entropy of embeddings (B, K) with those of one neighbour each."""
        z, neighbour = full_precision(z), full_precision(neighbour)
        with torch.autocast(z.device.type, enabled=False):
            attraction = self._unlike((z - neighbour).square().sum(dim=1)).log1p().mean()
            if len(z) < 2:
                return attraction
            some = neighbour[:_MOST_REPELLING]
            # By differences: products would round off how close the nearest are.
            distances = torch.cdist(z, some, compute_mode="donot_use_mm_for_euclid_dist")
            unlike = self._unlike(distances.square())
            repulsion = unlike.log1p() - unlike.log()  # -log(1 - q)
            others = ~torch.eye(len(z), len(some), dtype=torch.bool, device=z.device)
            growth = math.pow(_FIRST_REPULSION, max(0.0, 1.0 - self.progress / _RISE))
            weight = self.negatives * growth
            return attraction + weight * (repulsion * others).sum() / others.sum()

    def _unlike(self, squares: Tensor) -> Tensor:
        """Return a d^(2b), which is 1 / q - 1."""
        return self.scale * (squares + _FLOOR) ** self.power


def similarity_curve(min_distance: float) -> tuple[float, float]:
    """Fit a and b of 1 / (1 + a d^(2b)), for distances 0 to 3, by least squares."""
    d = np.linspace(0.0, 3.0, 300)
    target = np.exp(-np.maximum(d - min_distance, 0.0))
    (a, b), _ = curve_fit(lambda d, a, b: 1.0 / (1.0 + a * d ** (2.0 * b)), d, target)
    return float(a), float(b)
