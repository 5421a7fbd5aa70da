"""Outliers among training samples, and the constant that fits each set best."""

from __future__ import annotations

import numpy as np

from cuello.arrays import Array
from cuello_labs._images import images

__all__ = ["OUTLIERS", "best_constant", "clean_samples", "contaminate"]

OUTLIERS = {"values": "single values times 10", "samples": "whole samples, values times 1 to 10"}


def clean_samples(name: str, train_size: int) -> tuple[Array, Array]:
    """Return training and test samples, every value in 1..2 (MAPE needs values far from 0)."""
    if name != "breast-cancer":
        data = images(name, train_size, 500)
        return data.X + 1, data.X_test + 1
    from sklearn.datasets import load_breast_cancer

    X = load_breast_cancer().data[np.random.default_rng(0).permutation(569)]
    low, high = X[:train_size].min(axis=0), X[:train_size].max(axis=0)
    X = (1 + (X - low) / (high - low)).astype(np.float32)
    return X[:train_size], X[train_size:]


def best_constant(X: Array, loss: str) -> Array:
    """Return the constant sample of the smallest loss, ``mse``, ``mae`` or ``mape``, over all.

    That is the mean, the median, and the median where each value weighs its inverse.
    """
    if loss == "mse":
        mean: Array = np.mean(X, axis=0)
        return mean
    ordered = np.sort(X, axis=0)
    weights = 1 / ordered if loss == "mape" else np.ones_like(ordered)
    half = np.argmax(np.cumsum(weights, axis=0) >= weights.sum(axis=0) / 2, axis=0)
    constant: Array = np.take_along_axis(ordered, half[None], axis=0)[0]
    return constant


def contaminate(X: Array, outliers: str, share: float, rng: np.random.Generator) -> Array:
    """Return samples with outliers, see :data:`OUTLIERS`, in that share of values or samples."""
    if outliers == "values":
        return np.where(rng.random(X.shape) < share, X * 10, X)
    if outliers == "samples":
        hit = rng.permutation(len(X))[: round(share * len(X))]
        X = X.copy()
        X[hit] *= rng.uniform(1, 10, X[hit].shape).astype(X.dtype)
    return X
