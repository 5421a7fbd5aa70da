"""Baselines of the few-label methods: linear models on PCA, and nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from cuello.arrays import Array, Float32s
from cuello.estimators.baselines import INVERSE_PENALTIES, flat
from cuello.few_label.targets import Targets, read_classes, read_numbers
from cuello.few_label.tasks import Multiclass, Regression
from cuello.registry import Registry

__all__ = ["BASELINES", "Baseline", "Labelled", "Predict", "fit_knn", "fit_pca_linear"]

Predict = Callable[[Array], Array]
"""From scaled samples to classes, 0 and 1, or numbers in the units of the labels."""
Scorer = Callable[[Array], Float32s]
"""From scaled samples to scores of a task, (n, outputs)."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Scaled samples (n, ...) and labels that a baseline learns from, and a fitted PCA."""

    task: str
    X: Array
    y: Array
    pca: PCA
    cv: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A method without a network."""

    display_name: str
    """As tables and reports show it."""
    display_name_of_tables: str = ""
    """The same where samples are rows of a table, if it differs."""
    tasks: tuple[str, ...]
    """Tasks that it can learn."""
    tables_only: bool = False
    """Whether it is for rows of tables alone."""
    fit: Callable[[Labelled], tuple[Predict, float]]
    """Return a function that predicts, and the cross-validated score, NaN without folds."""


BASELINES: Registry[Baseline] = Registry("method")
"""Baselines that are compared with the few-label methods, in the order of the tables."""

_CLASSES = ("multiclass", "multilabel")
_ALL_TASKS = (*_CLASSES, "regression")


def _fit_labelled(data: Labelled, make: Callable[[Labelled], Any]) -> tuple[Predict, float]:
    """Fit an estimator of scikit-learn to the samples, flattened; nothing is cross-validated."""
    multilabel = data.task == "multilabel"
    models = []
    for y in data.y.T if multilabel else [data.y]:
        # A property that is the same in all labelled samples is no problem to be solved.
        build = make if len(np.unique(y)) > 1 else _make_constant
        models.append(build(data).fit(flat(data.X), y))

    def predict(X: Array) -> Array:
        columns = [np.asarray(model.predict(flat(X))) for model in models]
        return np.stack(columns, axis=1).astype(np.int64) if multilabel else columns[0]

    return predict, float("nan")


def _make_constant(data: Labelled) -> Any:
    from sklearn import dummy

    if data.task == "regression":
        return dummy.DummyRegressor()
    return dummy.DummyClassifier(strategy="most_frequent")


def _make_boosting(data: Labelled) -> Any:
    from sklearn import ensemble

    regression = data.task == "regression"
    kind = (
        ensemble.HistGradientBoostingRegressor
        if regression
        else ensemble.HistGradientBoostingClassifier
    )
    # By default a leaf has 20 samples or more: of 30 labels there would be no tree.
    leaf = min(20, max(len(data.X) // 20, 1))
    return kind(min_samples_leaf=leaf, early_stopping=False, random_state=data.seed)


BASELINES.add(
    "majority",
    Baseline(
        display_name="Most frequent class",
        tasks=_CLASSES,
        fit=partial(_fit_labelled, make=_make_constant),
    ),
)
BASELINES.add(
    "mean",
    Baseline(
        display_name="Mean of the labels",
        tasks=("regression",),
        fit=BASELINES["majority"].fit,
    ),
)


def _fit_scorer(data: Labelled, fit: Callable[..., tuple[Scorer, float]]) -> tuple[Predict, float]:
    """Fit a baseline that scores samples; its predictions are in the terms of the labels."""
    regression = data.task == "regression"
    targets = (
        read_numbers(data.X, data.y, "regression", "mse")
        if regression
        else read_classes(data.X, data.y, data.task)
    )
    scores, cv_score = fit(targets, rows=data.X, cv=data.cv, seed=data.seed)
    if regression:
        return lambda X: targets.task.link(scores(X)), cv_score
    if data.task == "multilabel":
        return lambda X: (scores(X) > 0).astype(np.int64), cv_score
    return lambda X: targets.classes[scores(X).argmax(axis=1)], cv_score


def _fit_linear(data: Labelled) -> tuple[Predict, float]:
    return _fit_scorer(data, partial(fit_pca_linear, pca=data.pca))


BASELINES.add(
    "pca_logistic",
    Baseline(
        display_name="PCA + logistic regression",
        tasks=_CLASSES,
        fit=_fit_linear,
    ),
)
BASELINES.add(
    "pca_ridge",
    Baseline(
        display_name="PCA + ridge regression",
        tasks=("regression",),
        fit=_fit_linear,
    ),
)
BASELINES.add(
    "gradient_boosting",
    Baseline(
        display_name="Gradient boosting on the columns",
        tasks=_ALL_TASKS,
        tables_only=True,
        fit=partial(_fit_labelled, make=_make_boosting),
    ),
)


def fit_pca_linear(
    targets: Targets, pca: PCA, rows: Array, *, cv: int, seed: int
) -> tuple[Scorer, float]:
    """Fit a ridge or logistic regression to principal components of scaled samples.

    Return a function that scores samples, and the cross-validated score of the best penalty.
    """
    scaler = StandardScaler().fit(pca.transform(flat(rows)))

    def components(rows: Array) -> Array:
        return np.asarray(scaler.transform(pca.transform(flat(rows))))

    def fit(z: Array, y: Array, inverse_penalty: float) -> Scorer:
        weight, bias = targets.task.fit_linear(z, y, inverse_penalty)
        return lambda some: np.asarray(some @ weight.T + bias, dtype=np.float32)

    candidates = [partial(fit, inverse_penalty=penalty) for penalty in INVERSE_PENALTIES]
    folds = targets.task.folds(targets.y, cv, seed)
    model, cv_score = _fit_best(candidates, targets, components(rows), folds)
    return lambda some: model(components(some)), cv_score


def fit_knn(targets: Targets, rows: Array, *, cv: int, seed: int) -> tuple[Scorer, float]:
    """Fit 5 nearest neighbours to scaled samples (fewer than 5: all).

    Return a function that scores samples (1 or 0 for classes, 1 or -1 for properties), and the
    cross-validated score.
    """
    table = flat(rows)
    folds = targets.task.folds(targets.y, cv, seed)
    neighbours = min(5, *(len(train) for train, _ in folds), len(table))

    def fit(table: Array, y: Array) -> Scorer:
        if isinstance(targets.task, Regression):
            mean = KNeighborsRegressor(neighbours).fit(table, y)
            return lambda some: np.asarray(mean.predict(some), dtype=np.float32)[:, None]
        vote = KNeighborsClassifier(neighbours).fit(table, y.astype(np.int64))
        if isinstance(targets.task, Multiclass):
            classes = np.eye(targets.task.classes, dtype=np.float32)
            return lambda some: classes[vote.predict(some)]
        return lambda some: (2.0 * vote.predict(some) - 1.0).astype(np.float32)

    model, cv_score = _fit_best([fit], targets, table, folds)
    return lambda some: model(flat(some)), cv_score


def _fit_best(
    candidates: Sequence[Callable[[Array, Array], Scorer]],
    targets: Targets,
    table: Array,
    folds: Sequence[tuple[Array, Array]],
) -> tuple[Scorer, float]:
    """Fit the candidate that is best on folds, or else the middle one; return its score, or NaN."""
    task, y = targets.task, targets.y
    if not folds:
        return candidates[len(candidates) // 2](table, y), float("nan")
    cv_scores = [
        task.cv_score([(fit(table[a], y[a])(table[b]), y[b]) for a, b in folds])
        for fit in candidates
    ]
    best = cv_scores.index(max(cv_scores))
    return candidates[best](table, y), cv_scores[best]


BASELINES.add(
    "knn_pixels",
    Baseline(
        display_name="5-NN on pixels",
        display_name_of_tables="5-NN on the columns",
        tasks=_ALL_TASKS,
        fit=partial(_fit_scorer, fit=fit_knn),
    ),
)
