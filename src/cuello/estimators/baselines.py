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

INVERSE_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Candidates of a logistic regression on embeddings (scikit-learn's ``C``)."""


def flat(rows: Array) -> Array:
    """Return scaled samples as a table, 0 after the end of short sequences.

    Examples
    --------
    >>> flat(np.array([[[1.0], [np.nan]]]))
    array([[1., 0.]])
    """
    table = rows.reshape(len(rows), -1)
    # Bytes and complete samples are not copied.
    has_holes = table.dtype.kind == "f" and np.isnan(table).any()
    return np.nan_to_num(table) if has_holes else table


def fit_pca(rows: Array, components: int, seed: int) -> PCA:
    """Fit a PCA to flattened samples, with as many components as they allow up to ``components``.

    Examples
    --------
    >>> fit_pca(np.eye(4, 3), 2, seed=0).n_components_
    2
    """
    table = flat(rows)
    return PCA(min(components, *table.shape), random_state=seed).fit(table)


def fit_pca_logistic(
    pca: PCA, rows: Array, y: Codes, *, cv: int, seed: int
) -> tuple[Pipeline, float]:
    """Fit a logistic regression on PCA components; its penalty is chosen by cross-validation.

    Returns
    -------
    model : Pipeline
        Takes samples as :func:`flat` returns them.
    cv_accuracy : float
        On held-out folds; NaN where a class has a single label.
    """
    table = flat(rows)
    regression = LogisticRegression(max_iter=2000)
    parts = stratified_folds(y, cv, seed)
    if not parts:
        model = make_pipeline(FrozenEstimator(pca), StandardScaler(), regression)
        return model.fit(table, y), float("nan")
    search = GridSearchCV(regression, {"C": INVERSE_PENALTIES}, cv=parts)
    model = make_pipeline(FrozenEstimator(pca), StandardScaler(), search).fit(table, y)
    return model, float(search.best_score_)


def fit_knn_pixels(
    rows: Array, y: Codes, *, cv: int, seed: int
) -> tuple[KNeighborsClassifier, float]:
    """Fit a 5-nearest-neighbour classifier on samples as they are (fewer than 5: all)."""
    table = flat(rows)
    parts = stratified_folds(y, cv, seed)
    neighbours = min(5, *(len(train) for train, _ in parts), len(table))
    model = KNeighborsClassifier(neighbours)
    accuracy = float(cross_val_score(model, table, y, cv=parts).mean()) if parts else float("nan")
    return model.fit(table, y), accuracy
