"""How good something is: pure functions on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["mean_sd", "row_errors"]

_CHUNK = 4096


def row_errors(X: npt.NDArray[Any], Y: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the mean squared difference of each row, shape (n,).

    Parameters
    ----------
    X, Y : ndarray of shape (n, ...)
        Same shape. Elements of X that are NaN do not count: the end of a short sequence.

    Examples
    --------
    >>> row_errors(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [1.0, 1.0]]))
    array([2., 0.])
    """
    assert X.shape == Y.shape
    errors = np.empty(len(X))
    for start in range(0, len(X), _CHUNK):  # bounds the memory of the float64 difference
        difference = np.subtract(
            X[start : start + _CHUNK], Y[start : start + _CHUNK], dtype=np.float64
        )
        squares = np.square(difference).reshape(len(difference), -1)
        missing = np.isnan(X[start : start + _CHUNK]).reshape(squares.shape)
        if missing.any():
            squares[missing] = 0.0
            errors[start : start + _CHUNK] = squares.sum(1) / (~missing).sum(1)
        else:
            errors[start : start + _CHUNK] = squares.mean(1)
    return errors


def mean_sd(values: npt.ArrayLike) -> tuple[float, float]:
    """Return the mean and the sample standard deviation (0 for a single value).

    Examples
    --------
    >>> mean_sd([1.0, 3.0])
    (2.0, 1.4142135623730951)
    """
    v = np.asarray(values, dtype=np.float64)
    return float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else 0.0
