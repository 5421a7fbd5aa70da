"""Baselines: PCA, logistic regression on it, nearest neighbours on pixels."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from cuello.arrays import Array, Codes
from cuello.data.splits import stratified_folds

__all__ = ["INVERSE_PENALTIES", "fit_knn_pixels", "fit_pca", "fit_pca_logistic", "flat"]

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


def fit_pca_logistic(
    pca: PCA, samples: Array, y: Codes, *, cv: int, seed: int
) -> tuple[Pipeline, float]:
    """Fit a logistic regression on PCA components; its penalty is chosen by cross-validation.

    Return it, for samples as :func:`flat` returns them, and its accuracy on held-out folds: NaN
    where a class has a single label.
    """
    table = flat(samples)
    regression = LogisticRegression(max_iter=2000)
    folds = stratified_folds(y, cv, seed)
    if not folds:
        model = make_pipeline(FrozenEstimator(pca), StandardScaler(), regression)
        return model.fit(table, y), float("nan")
    search = GridSearchCV(regression, {"C": INVERSE_PENALTIES}, cv=folds)
    model = make_pipeline(FrozenEstimator(pca), StandardScaler(), search).fit(table, y)
    return model, float(search.best_score_)


def fit_knn_pixels(
    samples: Array, y: Codes, *, cv: int, seed: int
) -> tuple[KNeighborsClassifier, float]:
    """Fit a 5-nearest-neighbour classifier on samples as they are (fewer than 5: all)."""
    table = flat(samples)
    folds = stratified_folds(y, cv, seed)
    neighbours = min(5, *(len(train) for train, _ in folds), len(table))
    model = KNeighborsClassifier(neighbours)
    accuracy = float(cross_val_score(model, table, y, cv=folds).mean()) if folds else float("nan")
    return model.fit(table, y), accuracy
