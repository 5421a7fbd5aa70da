"""What modes are compared with: linear models on PCA codes, and nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from cuello.estimators.baselines import INVERSE_PENALTIES, flat
from cuello.few_label.targets import Targets
from cuello.few_label.task import Regression

__all__ = ["Predict", "Scores", "fit_knn", "fit_pca_linear"]

Array = npt.NDArray[Any]
Predict = Callable[[Array], Array]
"""From scaled rows to classes, 0 and 1, or numbers in their own units."""
Scores = npt.NDArray[np.float32]


def fit_pca_linear(
    targets: Targets, pca: PCA, rows: Array, *, cv: int, seed: int
) -> tuple[Callable[[Array], Scores], float]:
    """Fit a linear model to PCA codes, for numbers a ridge regression, else a logistic regression.

    Its penalty is chosen on folds of the labelled rows.

    Parameters
    ----------
    targets : Targets
        All of them labelled.
    pca : PCA
        Fitted.
    rows : ndarray of shape (n, ...)
        Scaled.
    cv, seed : int
        Folds, and what they follow from.

    Returns
    -------
    scores : callable
        From scaled rows to scores of the task, (n, outputs).
    inside : float
        How good the chosen penalty was on the folds; NaN where there were none.

    Examples
    --------
    >>> from cuello.few_label.targets import read_numbers
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> found = read_numbers(X, X @ [1.0, -2.0, 3.0], "regression", "mse")
    >>> _, inside = fit_pca_linear(found, PCA(3).fit(X), X, cv=3, seed=0)
    >>> inside > 0.99
    True
    """
    task, y = targets.task, targets.y
    scaler = StandardScaler().fit(pca.transform(flat(rows)))

    def codes(rows: Array) -> Array:
        return np.asarray(scaler.transform(pca.transform(flat(rows))))

    def fitted(codes: Array, y: Array, inverse_penalty: float) -> Callable[[Array], Scores]:
        weight, bias = task.fit_linear(codes, y, inverse_penalty)
        return lambda some: np.asarray(some @ weight.T + bias, dtype=np.float32)

    known = codes(rows)
    folds = task.folds(y, cv, seed)
    if not folds:
        model = fitted(known, y, INVERSE_PENALTIES[len(INVERSE_PENALTIES) // 2])
        return lambda some: model(codes(some)), float("nan")
    found = {
        penalty: task.cv_score(
            [(fitted(known[a], y[a], penalty)(known[b]), y[b]) for a, b in folds]
        )
        for penalty in INVERSE_PENALTIES
    }
    best = max(found, key=found.__getitem__)
    model = fitted(known, y, best)
    return lambda some: model(codes(some)), found[best]


def fit_knn(
    targets: Targets, rows: Array, *, cv: int, seed: int
) -> tuple[Callable[[Array], Scores], float]:
    """Fit 5 nearest neighbours on rows as they are (fewer than 5 rows: all), for what is no class.

    Parameters
    ----------
    targets, rows, cv, seed
        As for :func:`fit_pca_linear`.

    Returns
    -------
    scores : callable
        From scaled rows to scores of the task, (n, outputs); of properties 1 or -1.
    inside : float
        How good it was on folds; NaN where there were none.
    """
    task, y, table = targets.task, targets.y, flat(rows)
    folds = task.folds(y, cv, seed)
    neighbours = min(5, *(len(train) for train, _ in folds), len(table))

    def fitted(table: Array, y: Array) -> Callable[[Array], Scores]:
        if isinstance(task, Regression):
            mean = KNeighborsRegressor(neighbours).fit(table, y)
            return lambda some: np.asarray(mean.predict(some), dtype=np.float32)[:, None]
        vote = KNeighborsClassifier(neighbours).fit(table, y.astype(np.int64))
        return lambda some: (2.0 * vote.predict(some) - 1.0).astype(np.float32)

    inside = float("nan")
    if folds:
        held = [(fitted(table[a], y[a])(table[b]), y[b]) for a, b in folds]
        inside = task.cv_score(held)
    model = fitted(table, y)
    return lambda some: model(flat(some)), inside
