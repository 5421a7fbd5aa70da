"""Quality of reconstructions, and of projections: neighbours kept, classes separated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from cuello.arrays import Array, Codes, Floats

__all__ = ["ProjectionQuality", "projection_quality", "sample_errors"]

_ERRORS_AT_ONCE = 4096
"""Samples; bounds the memory of the float64 difference."""
_VOTERS = 5
_FEWEST_SAMPLES = 2 * _VOTERS + 1  # trustworthiness is undefined below


class ProjectionQuality(NamedTuple):
    """Two measures of a projection to 2-D coordinates, or of other short embeddings."""

    trustworthiness: float
    """Whether the 5 nearest in the projection are near among the samples, at most 1.

    Random coordinates have about 0.5 (Venna and Kaski 2001).
    """
    knn_accuracy: float | None
    """Share of samples whose class most of their 5 nearest have; None without classes."""


def projection_quality(
    samples: Array, coordinates: Array, y: Codes | None = None
) -> ProjectionQuality | None:
    """Measure how much of the samples a projection keeps, in quadratic time and memory.

    Parameters
    ----------
    samples : ndarray of shape (n, ...)
        What was projected, scaled.
    coordinates : ndarray of shape (n, k)
        Their projection.
    y : ndarray of shape (n,) or None
        Class of each sample, -1 where unknown.

    Returns
    -------
    ProjectionQuality or None
        None of 10 samples or fewer, which are all near one another. Of as few with classes there is
        no accuracy.

    Notes
    -----
    No sample votes for itself; of classes with as many votes the first is taken.
    Source: Venna and Kaski, "Neighborhood preservation in nonlinear projection methods: an
    experimental study", ICANN 2001.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> quality = projection_quality(X, X[:, 2:], y)
    >>> round(quality.trustworthiness, 2), round(quality.knn_accuracy, 2)
    (0.92, 0.96)
    """
    if len(samples) < _FEWEST_SAMPLES:
        return None
    flat = samples.reshape(len(samples), -1)
    kept = float(trustworthiness(flat, coordinates, n_neighbors=_VOTERS))
    if y is None or (y >= 0).sum() < _FEWEST_SAMPLES:
        return ProjectionQuality(kept, None)
    labelled = y >= 0
    vote = KNeighborsClassifier(_VOTERS).fit(coordinates[labelled], y[labelled])
    return ProjectionQuality(kept, float(vote.score(None, y[labelled])))


def sample_errors(X: Array, Y: Array) -> Floats:
    """Return the mean squared difference (n,) of each sample of two arrays of one shape (n, ...).

    Elements of X that are NaN do not count: the end of a short sequence.

    Examples
    --------
    >>> sample_errors(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [1.0, 1.0]]))
    array([2., 0.])
    """
    assert X.shape == Y.shape
    errors = np.empty(len(X))
    for start in range(0, len(X), _ERRORS_AT_ONCE):
        chunk = slice(start, start + _ERRORS_AT_ONCE)
        difference = np.subtract(X[chunk], Y[chunk], dtype=np.float64)
        squares = np.square(difference).reshape(len(difference), -1)
        missing = np.isnan(X[chunk]).reshape(squares.shape)
        squares[missing] = 0.0
        errors[chunk] = squares.sum(axis=1) / (~missing).sum(axis=1)
    return errors
