"""Principal components of samples, and the penalties of linear models on them."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from cuello.arrays import Array

__all__ = ["INVERSE_PENALTIES", "fit_pca", "flat"]

INVERSE_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)  # scikit-learn's C, to choose from


def flat(samples: Array) -> Array:
    """Return scaled samples as a table, 0 after the end of short sequences."""
    table = samples.reshape(len(samples), -1)
    # Bytes and complete samples are not copied.
    has_holes = table.dtype.kind == "f" and np.isnan(table).any()
    return np.nan_to_num(table) if has_holes else table


def fit_pca(samples: Array, components: int, seed: int) -> PCA:
    """Fit a PCA to flattened samples, with at most as many components as they allow."""
    table = flat(samples)
    return PCA(min(components, *table.shape), random_state=seed).fit(table)
