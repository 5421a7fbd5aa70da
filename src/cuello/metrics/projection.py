"""How much of rows is kept in a few numbers for each: who is near whom, and who is of one class."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

__all__ = ["ProjectionQuality", "projection_quality"]

_NEIGHBOURS = 5
_FEWEST = 2 * _NEIGHBOURS + 1  # trustworthiness is undefined below


class ProjectionQuality(NamedTuple):
    """What places in a plane, or other short codes, tell of rows."""

    trustworthiness: float
    """Whether the 5 nearest on the map are near among the rows, at most 1 (Venna and Kaski 2001).

    Places at random have 0.5, about.
    """
    knn_accuracy: float | None
    """Share of rows whose class most of their 5 nearest on the map have; None without classes."""


def projection_quality(
    rows: npt.NDArray[Any], places: npt.NDArray[Any], y: npt.NDArray[np.int64] | None = None
) -> ProjectionQuality | None:
    """Measure a map of rows; time and memory are of the square of their number.

    Parameters
    ----------
    rows : ndarray of shape (n, ...)
        What distances are taken between, scaled.
    places : ndarray of shape (n, k)
        Where the map has them.
    y : ndarray of shape (n,) or None
        Class of each row, -1 where unknown.

    Returns
    -------
    ProjectionQuality or None
        None of 10 rows or fewer, which are all near one another. Of as few with classes there is no
        accuracy.

    Notes
    -----
    No row votes for itself; of classes with as many votes the first is taken.
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
    if len(rows) < _FEWEST:
        return None
    trust = float(trustworthiness(rows.reshape(len(rows), -1), places, n_neighbors=_NEIGHBOURS))
    known = np.flatnonzero(np.full(len(rows), False) if y is None else y >= 0)
    if y is None or len(known) < _FEWEST:
        return ProjectionQuality(trust, None)
    nearest = NearestNeighbors(n_neighbors=_NEIGHBOURS).fit(places[known])
    own = y[known]
    votes = own[nearest.kneighbors(return_distance=False)]
    counts = np.apply_along_axis(np.bincount, 1, votes, minlength=int(own.max()) + 1)
    return ProjectionQuality(trust, float((counts.argmax(axis=1) == own).mean()))
