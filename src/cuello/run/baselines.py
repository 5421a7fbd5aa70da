"""What the few-label methods are compared with: linear models on PCA, and nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from cuello.arrays import Array, Float32s
from cuello.estimators.baselines import INVERSE_PENALTIES, fit_knn_pixels, fit_pca_logistic, flat
from cuello.few_label.targets import Targets, read_classes, read_numbers
from cuello.few_label.tasks import Regression
from cuello.registry import Registry

__all__ = ["BASELINES", "Baseline", "Labelled", "Predict", "fit_knn", "fit_pca_linear"]

Predict = Callable[[Array], Array]
"""From scaled rows to classes, 0 and 1, or numbers in their own units."""
Scorer = Callable[[Array], Float32s]
"""From scaled rows to scores of a task, (n, outputs)."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Labelled rows that a baseline learns from.

    Parameters
    ----------
    task : str
        ``multiclass``, ``multilabel`` or ``regression``.
    X : ndarray of shape (n, ...)
        Scaled.
    y : ndarray of shape (n,) or (n, properties)
    pca : PCA
        Fitted to training rows.
    cv, seed : int
        Folds, and what they follow from.
    """

    task: str
    X: Array
    y: Array
    pca: PCA
    cv: int
    seed: int

    @property
    def targets(self) -> Targets:
        """What is learned, where labels are no classes."""
        if self.task == "regression":
            return read_numbers(self.X, self.y, "regression", "mse")
        return read_classes(self.X, self.y, "multilabel")


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A method that needs no network of ours.

    Parameters
    ----------
    display_name : str
        As tables and reports show it.
    display_name_of_tables : str
        The same where rows are those of a table, if it is another.
    summary : str
        One sentence.
    tasks : tuple of str
        What it can learn.
    fit : callable
        From labelled rows to a function that predicts, and the cross-validated score; NaN where
        nothing could be held out.
    """

    display_name: str
    display_name_of_tables: str = ""
    summary: str
    tasks: tuple[str, ...]
    fit: Callable[[Labelled], tuple[Predict, float]]


BASELINES: Registry[Baseline] = Registry("method")
"""What is compared beside the few-label methods, in the order of the tables."""


def _fit_linear(data: Labelled) -> tuple[Predict, float]:
    if data.task == "multiclass":
        model, score = fit_pca_logistic(data.pca, data.X, data.y, cv=data.cv, seed=data.seed)
        return lambda rows: np.asarray(model.predict(flat(rows))), score
    targets = data.targets
    return _in_label_units(
        targets,
        *fit_pca_linear(targets, data.pca, data.X, cv=data.cv, seed=data.seed),
    )


def _fit_neighbours(data: Labelled) -> tuple[Predict, float]:
    if data.task == "multiclass":
        model, score = fit_knn_pixels(data.X, data.y, cv=data.cv, seed=data.seed)
        return lambda rows: np.asarray(model.predict(flat(rows))), score
    targets = data.targets
    return _in_label_units(targets, *fit_knn(targets, data.X, cv=data.cv, seed=data.seed))


def _in_label_units(targets: Targets, scores: Scorer, cv_score: float) -> tuple[Predict, float]:
    """Turn scores into 0 and 1, or numbers in their own units."""
    if isinstance(targets.task, Regression):
        return lambda rows: targets.task.link(scores(rows)), cv_score
    return lambda rows: (scores(rows) > 0).astype(np.int64), cv_score


BASELINES.add(
    "pca_logistic",
    Baseline(
        display_name="PCA + logistic regression",
        summary="Logistic regression on principal components; the penalty is cross-validated.",
        tasks=("multiclass", "multilabel"),
        fit=_fit_linear,
    ),
)
BASELINES.add(
    "pca_ridge",
    Baseline(
        display_name="PCA + ridge regression",
        summary="Ridge regression on principal components; the penalty is cross-validated.",
        tasks=("regression",),
        fit=_fit_linear,
    ),
)
BASELINES.add(
    "knn_pixels",
    Baseline(
        display_name="5-NN on pixels",
        display_name_of_tables="5-NN on the columns",
        summary="The 5 nearest neighbours among the rows as they are.",
        tasks=("multiclass", "multilabel", "regression"),
        fit=_fit_neighbours,
    ),
)


def fit_pca_linear(
    targets: Targets, pca: PCA, rows: Array, *, cv: int, seed: int
) -> tuple[Scorer, float]:
    """Fit a ridge or logistic regression to principal components, its penalty cross-validated.

    Parameters
    ----------
    targets : Targets
        All of them data.
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
    cv_score : float
        How good the chosen penalty was on the folds; NaN where there were none.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> targets = read_numbers(X, X @ [1.0, -2.0, 3.0], "regression", "mse")
    >>> _, cv_score = fit_pca_linear(targets, PCA(3).fit(X), X, cv=3, seed=0)
    >>> cv_score > 0.99
    True
    """
    task, y = targets.task, targets.y
    scaler = StandardScaler().fit(pca.transform(flat(rows)))

    def components(rows: Array) -> Array:
        return np.asarray(scaler.transform(pca.transform(flat(rows))))

    def fitted(z: Array, y: Array, inverse_penalty: float) -> Scorer:
        weight, bias = task.fit_linear(z, y, inverse_penalty)
        return lambda some: np.asarray(some @ weight.T + bias, dtype=np.float32)

    z = components(rows)
    folds = task.folds(y, cv, seed)
    if not folds:
        model = fitted(z, y, INVERSE_PENALTIES[len(INVERSE_PENALTIES) // 2])
        return lambda some: model(components(some)), float("nan")
    cv_scores = {
        penalty: task.cv_score([(fitted(z[a], y[a], penalty)(z[b]), y[b]) for a, b in folds])
        for penalty in INVERSE_PENALTIES
    }
    best = max(cv_scores, key=cv_scores.__getitem__)
    model = fitted(z, y, best)
    return lambda some: model(components(some)), cv_scores[best]


def fit_knn(targets: Targets, rows: Array, *, cv: int, seed: int) -> tuple[Scorer, float]:
    """Fit 5 nearest neighbours on rows as they are (fewer than 5 rows: all), for no classes.

    Parameters
    ----------
    targets, rows, cv, seed
        As for :func:`fit_pca_linear`.

    Returns
    -------
    scores : callable
        From scaled rows to scores of the task, (n, outputs); of properties 1 or -1.
    cv_score : float
        How good it was on folds; NaN where there were none.
    """
    task, y, table = targets.task, targets.y, flat(rows)
    folds = task.folds(y, cv, seed)
    neighbours = min(5, *(len(train) for train, _ in folds), len(table))

    def fitted(table: Array, y: Array) -> Scorer:
        if isinstance(task, Regression):
            mean = KNeighborsRegressor(neighbours).fit(table, y)
            return lambda some: np.asarray(mean.predict(some), dtype=np.float32)[:, None]
        vote = KNeighborsClassifier(neighbours).fit(table, y.astype(np.int64))
        return lambda some: (2.0 * vote.predict(some) - 1.0).astype(np.float32)

    cv_score = float("nan")
    if folds:
        held_out = [(fitted(table[a], y[a])(table[b]), y[b]) for a, b in folds]
        cv_score = task.cv_score(held_out)
    model = fitted(table, y)
    return lambda some: model(flat(some)), cv_score
