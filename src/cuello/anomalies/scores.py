"""The anomaly scores.

Shapes: n samples, m reference samples, K latents or features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, final

import numpy as np
import torch
from sklearn.covariance import LedoitWolf

from cuello.anomalies.base import SCORES, DataType, EncodedSamples, Need, Score, register_score
from cuello.arrays import Array, Float32s, Floats
from cuello.data.neighbours import neighbours

__all__ = ["NeighbourDistance"]

REFERENCE_VALUES = 1_000_000  # of all reference samples of a score: 4 MB of a run folder
NEAREST = 5
# The share of the reference samples that counts as near is wide, so that a handful of anomalies
# near each other, among the reference samples, stay anomalous. Means of the areas under the ROC
# curve over the 11 ODDS tables, one split, by distances between embeddings: the 5th neighbour .77,
# the 20th .81, 2 % .84, 5 % .85, 10 % .81.
NEAR = 0.05
_SMALLEST = 1e-12
_LIKELIHOOD_SAMPLES = 64


# `combined` takes reconstruction and one distance. Means of the areas under the ROC curve, tables:
# 11 ODDS tables, three splits: with `samples` .884, with `neighbours` as well .878, with `nearest`
# .880; `samples` alone .893, which sees nothing of how columns depend on each other.
# Images: five classes of MNIST and six of Fashion-MNIST, held-out training images: with `edges`
# .956, with `nearest` .914, with both .954.


@register_score("reconstruction")
@final
class Reconstruction(Score):
    """Error of reconstruction."""

    combined_for = ("tables", "images", "sequences")

    def __call__(self, samples: EncodedSamples, learned: Mapping[str, Array]) -> Floats:
        """Return the logarithm of the error."""
        return np.asarray(np.log(samples.errors + _SMALLEST))


@register_score("mahalanobis")
@final
class Mahalanobis(Score):
    """Distance of an embedding from the mean, in standard deviations of each direction."""

    def learn(self, samples: EncodedSamples, seed: int) -> dict[str, Array]:
        """Return mean (K,) and inverse covariance (K, K), shrunk as few samples need.

        Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
        matrices", Journal of Multivariate Analysis 88 (2004).
        """
        fitted = LedoitWolf().fit(samples.embeddings.astype(np.float64))
        return {"mean": fitted.location_, "precision": fitted.precision_}

    def __call__(self, samples: EncodedSamples, learned: Mapping[str, Array]) -> Floats:
        """Return the logarithm of the squared distance."""
        centred = samples.embeddings - learned["mean"]
        squares = ((centred @ learned["precision"]) * centred).sum(axis=1)
        return np.asarray(np.log(np.maximum(squares, 0.0) + _SMALLEST))


@final
class NeighbourDistance(Score):
    """Distance to near reference samples.

    Parameters
    ----------
    features : {"embeddings", "scaled", "edges"}
        The features that are compared, an attribute of :class:`EncodedSamples`.
    near : float
        Below 1 the share of the reference samples that counts as near, otherwise their number.
    needs, combined_for : tuple of str
        As for :class:`Score`.
    """

    def __init__(
        self,
        features: Literal["embeddings", "scaled", "edges"],
        near: float,
        *,
        needs: tuple[Need, ...] = (),
        combined_for: tuple[DataType, ...] = (),
    ) -> None:
        self.features, self.near = features, near
        self.needs, self.combined_for = needs, combined_for

    def learn(self, samples: EncodedSamples, seed: int) -> dict[str, Array]:
        """Return the features of the reference samples, (m, K); the longer, the fewer samples."""
        features: Float32s = getattr(samples, self.features)
        most = max(REFERENCE_VALUES // features.shape[1], 1)
        kept = np.random.default_rng(seed).permutation(len(features))[:most]
        return {"reference": features[np.sort(kept)]}

    def __call__(self, samples: EncodedSamples, learned: Mapping[str, Array]) -> Floats:
        """Return the logarithm of the distance to the farthest of those that count as near."""
        reference = torch.from_numpy(learned["reference"])
        near = round(self.near * len(reference)) if self.near < 1.0 else round(self.near)
        near = min(max(near, 1), len(reference))
        features: Float32s = getattr(samples, self.features)
        index, _ = neighbours(torch.from_numpy(features), reference, near)
        # Once more without the cancellation of large squares: equal samples are 0 apart.
        difference = features.astype(np.float64) - learned["reference"][index[:, -1]]
        return np.asarray(0.5 * np.log((difference**2).sum(axis=1) + _SMALLEST))


SCORES.add("neighbours", NeighbourDistance("embeddings", NEAR))
SCORES.add("samples", NeighbourDistance("scaled", NEAR, combined_for=("tables",)))
SCORES.add("nearest", NeighbourDistance("scaled", NEAREST, combined_for=("sequences",)))
SCORES.add(
    "edges",
    NeighbourDistance("edges", NEAREST, needs=("images",), combined_for=("images",)),
)


@register_score("likelihood")
@final
class Likelihood(Score):
    """Likelihood of a sample under the model itself."""

    needs = ("likelihood",)

    def __call__(self, samples: EncodedSamples, learned: Mapping[str, Array]) -> Floats:
        """Return minus the log-likelihood, estimated with 64 draws of the latents."""
        likelihood = samples.model.log_likelihood(samples.X, samples=_LIKELIHOOD_SAMPLES)
        return np.asarray(-likelihood)
