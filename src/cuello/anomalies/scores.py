"""How strange a row looks to an autoencoder: one class a score.

Each gives numbers in nats, up to a constant: of a distance or an error the logarithm, of a density
minus the logarithm. So tails of all of them fall about exponentially.

Shapes: n rows, m reference rows, K numbers a code.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, final

import numpy as np
import numpy.typing as npt
import torch
from sklearn.covariance import LedoitWolf

from cuello.data.edges import edge_histograms, histogram_size
from cuello.data.neighbours import neighbours
from cuello.estimators import Autoencoder
from cuello.estimators.likelihood import has_likelihood
from cuello.networks import NETWORKS

__all__ = ["SCORES", "Score", "Seen", "are_images"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Shape = tuple[int, ...]

REFERENCE_VALUES = 2_000_000
"""Numbers that all rows may have that others are compared with: 8 MB of a run folder."""
NEAREST = 5
NEAR = 0.05
"""Share of them that counts as near.

Wide, so that a handful of anomalies near each other, among the reference rows, are strange still.
Means of the areas under the ROC curve over the 11 ODDS tables, one split, by distances between
codes: the 5th neighbour .77, the 20th .81, 2 % .84, 5 % .85, 10 % .81.
"""
_LEAST = 1e-12
_LIKELIHOOD_SAMPLES = 64


@dataclass(frozen=True)
class Seen:
    """Rows as a fitted autoencoder sees them.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    X : ndarray of shape (n, ...)
        In the data's own units.
    codes : ndarray of float32, shape (n, K)
        In standard deviations of the training rows' codes.
    errors : ndarray of shape (n,)
        Mean squared error of each scaled row after decoding.
    """

    model: Autoencoder
    X: Array
    codes: npt.NDArray[np.float32]
    errors: Floats

    @cached_property
    def rows(self) -> npt.NDArray[np.float32]:
        """The scaled rows (n, features), 0 where there is nothing."""
        flat = self.model.scaling_.apply(self.X).reshape(len(self.X), -1)
        return np.nan_to_num(flat).astype(np.float32)

    @cached_property
    def edges(self) -> npt.NDArray[np.float32]:
        """The directions of the edges of images (n, numbers); see :mod:`cuello.data.edges`."""
        return edge_histograms(self.rows.reshape(self.X.shape))

    @classmethod
    def by(cls, model: Autoencoder, X: Array) -> Self:
        """Encode and decode rows."""
        codes = (model.transform(X) - model.embedding_mean_) / model.embedding_scale_
        return cls(model, X, codes.astype(np.float32), -model.score_samples(X))

    def __len__(self) -> int:
        return len(self.X)


def are_images(model: Autoencoder, shape: Shape) -> bool:
    """Return whether rows of this shape are images to the autoencoder, and no sequences."""
    return len(shape) > 1 and not NETWORKS[model.network].is_sequence


class Score(ABC):
    """A way to see how strange rows are; what it keeps of the reference rows is arrays.

    Examples
    --------
    >>> sorted(SCORES)
    ['edges', 'likelihood', 'mahalanobis', 'nearest', 'neighbours', 'reconstruction', 'rows']
    """

    name: str
    summary: str

    def why_not(self, model: Autoencoder, shape: Shape) -> str:
        """Return why rows of this shape have no such score by it; empty where they have."""
        return ""

    def width(self, model: Autoencoder) -> int:
        """Return how many numbers the last axis of what it learns has, by a fitted autoencoder."""
        return model.latent_dim_

    @abstractmethod
    def learn(self, seen: Seen, seed: int) -> dict[str, Array]:
        """Return what of the reference rows it needs."""

    @abstractmethod
    def __call__(self, seen: Seen, learned: Mapping[str, Array]) -> Floats:
        """Return how strange each row is, (n,): higher is stranger."""


@final
class Reconstruction(Score):
    """What the autoencoder cannot give back."""

    name = "reconstruction"
    summary = "the mean squared error of the row after encoding and decoding"

    def learn(self, seen: Seen, seed: int) -> dict[str, Array]:
        """Return nothing: the autoencoder has learned."""
        return {}

    def __call__(self, seen: Seen, learned: Mapping[str, Array]) -> Floats:
        """Return the logarithm of the error."""
        found: Floats = np.log(seen.errors + _LEAST)
        return found


@final
class Mahalanobis(Score):
    """How far a code is from the middle of all, in deviations of each direction."""

    name = "mahalanobis"
    summary = "the distance of the code from the mean, by the covariance of all codes"

    def learn(self, seen: Seen, seed: int) -> dict[str, Array]:
        """Return mean (K,) and inverse covariance (K, K), shrunk as few rows of many latents need.

        Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
        matrices", Journal of Multivariate Analysis 88 (2004).
        """
        found = LedoitWolf().fit(seen.codes.astype(np.float64))
        return {"mean": found.location_, "precision": found.precision_}

    def __call__(self, seen: Seen, learned: Mapping[str, Array]) -> Floats:
        """Return the logarithm of the squared distance."""
        off = seen.codes - learned["mean"]
        squares = ((off @ learned["precision"]) * off).sum(axis=1)
        found: Floats = np.log(np.maximum(squares, 0.0) + _LEAST)
        return found


@final
@dataclass(frozen=True)
class Neighbours(Score):
    """How far a row is from others.

    Parameters
    ----------
    name, summary : str
        Of the score.
    by : {"codes", "rows", "edges"}
        What of them is compared, by its name in :class:`Seen`.
    near : float
        Below 1 the share of the reference rows that counts as near, otherwise their number.
    """

    name: str
    summary: str
    by: Literal["codes", "rows", "edges"]
    near: float

    def why_not(self, model: Autoencoder, shape: Shape) -> str:
        """Return that only images have edges."""
        if self.by != "edges" or are_images(model, shape):
            return ""
        return "edges are those of images"

    def width(self, model: Autoencoder) -> int:
        """Return how many numbers are compared."""
        if self.by == "edges":
            return histogram_size(model.shape_)
        return model.latent_dim_ if self.by == "codes" else math.prod(model.shape_)

    def learn(self, seen: Seen, seed: int) -> dict[str, Array]:
        """Return what is compared of the reference rows, (m, K); of long rows fewer."""
        places = self._places(seen)
        most = max(REFERENCE_VALUES // places.shape[1], 1)
        kept = np.random.default_rng(seed).permutation(len(places))[:most]
        return {"reference": places[np.sort(kept)]}

    def __call__(self, seen: Seen, learned: Mapping[str, Array]) -> Floats:
        """Return the logarithm of the distance to the farthest of those that count as near."""
        reference = torch.from_numpy(learned["reference"])
        near = round(self.near * len(reference)) if self.near < 1.0 else round(self.near)
        near = min(max(near, 1), len(reference))
        places = self._places(seen)
        index, _ = neighbours(torch.from_numpy(places), reference, near)
        # Once more without the cancellation of large squares: equal rows are 0 apart.
        off = places.astype(np.float64) - learned["reference"][index[:, -1]]
        found: Floats = 0.5 * np.log((off**2).sum(axis=1) + _LEAST)
        return found

    def _places(self, seen: Seen) -> npt.NDArray[np.float32]:
        places: npt.NDArray[np.float32] = getattr(seen, self.by)
        return places


@final
class Likelihood(Score):
    """How improbable the model itself says that a row is."""

    name = "likelihood"
    summary = "minus the log-likelihood of the row; for kinds that have one"

    def why_not(self, model: Autoencoder, shape: Shape) -> str:
        """Return what a kind without a likelihood lacks."""
        if has_likelihood(model.kind):
            return ""
        return f"kind={model.kind!r} gives rows no likelihood; kind='variational' does"

    def learn(self, seen: Seen, seed: int) -> dict[str, Array]:
        """Return nothing: the autoencoder has learned."""
        return {}

    def __call__(self, seen: Seen, learned: Mapping[str, Array]) -> Floats:
        """Return minus the log-likelihood, estimated with 64 draws of the latents."""
        found: Floats = -seen.model.log_likelihood(seen.X, samples=_LIKELIHOOD_SAMPLES)
        return found


SCORES: Mapping[str, Score] = {
    score.name: score
    for score in (
        Reconstruction(),
        Mahalanobis(),
        Neighbours(
            name="neighbours",
            summary=f"the distance of the code to the nearest {NEAR:.0%} of all codes",
            by="codes",
            near=NEAR,
        ),
        Neighbours(
            name="rows",
            summary=f"the distance of the row to the nearest {NEAR:.0%} of all rows",
            by="rows",
            near=NEAR,
        ),
        Neighbours(
            name="nearest",
            summary=f"the distance of the row to the {NEAREST}th nearest row",
            by="rows",
            near=NEAREST,
        ),
        Neighbours(
            name="edges",
            summary="of images: the same by the directions of their edges",
            by="edges",
            near=NEAREST,
        ),
        Likelihood(),
    )
}
"""All scores by name."""
