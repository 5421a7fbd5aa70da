"""Errors of reconstructions."""

from __future__ import annotations

import numpy as np

from cuello.arrays import Array, Floats

__all__ = ["sample_errors"]

_ERRORS_AT_ONCE = 4096
"""Samples; bounds the memory of the float64 difference."""


def sample_errors(X: Array, Y: Array) -> Floats:
    """Return the mean squared difference of each sample, shape (n,).

    Parameters
    ----------
    X, Y : ndarray of shape (n, ...)
        Same shape. Elements of X that are NaN do not count: the end of a short sequence.

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
        if missing.any():
            squares[missing] = 0.0
            errors[chunk] = squares.sum(1) / (~missing).sum(1)
        else:
            errors[chunk] = squares.mean(1)
    return errors
