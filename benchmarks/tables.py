"""Accuracy with few labels of tables: methods, and which of them held-out labels choose.

The labels are drawn at random, three of each class at least; a quarter of the rows is measured on.
"""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import datasets
from sklearn.frozen import FrozenEstimator

import cuello
from benchmarks.timing import Result, Settings

__all__ = ["run"]

LABELS = (30, 150)
DRAWS = 2
MOST_ROWS = 6_000
QUICK = ("label_spreading", "linear_probe", "linear_columns", "random_forest")
METHODS = (*QUICK, "fine_tune_slow", "mean_teacher")
FILES = (
    "fault", "spambase", "satellite", "magic-gamma", "yeast", "ionosphere", "pageblocks", "wpbc",
)  # fmt: skip
"""Tables of the collections ODDS and ADBench, where a folder ``CUELLO_DATA`` holds them."""

Array = npt.NDArray[Any]


def run(settings: Settings) -> Result:
    """Measure: some 50 minutes on one thread."""
    rows: list[tuple[object, ...]] = []
    means: dict[tuple[int, str], list[float]] = {}
    for count in LABELS[:1] if settings.quick else LABELS:
        for name, (X, y) in _tables(brief=settings.quick).items():
            draws = range(1 if settings.quick else DRAWS)
            measured = [_measure(X, y, count, draw, brief=settings.quick) for draw in draws]
            row: list[object] = [name, count]
            for column in measured[0]:
                accuracy, seconds = np.mean([one[column] for one in measured], axis=0)
                means.setdefault((count, column), []).append(accuracy)
                row.append(f"{100 * accuracy:.1f} ({seconds:.0f} s)")
            rows.append(tuple(row))
        of_all = [f"{100 * np.mean(v):.1f}" for (n, _), v in means.items() if n == count]
        rows.append(("mean", count, *of_all))
    return Result(
        name="tables",
        columns=("data", "labels", *METHODS, "best quick one by folds", "best by folds"),
        rows=rows,
        notes=[f"Accuracy in %, mean of {DRAWS} draws; CPU seconds on one thread."],
    )


def _tables(*, brief: bool) -> dict[str, tuple[Array, Array]]:
    names = ("iris",) if brief else ("breast_cancer", "wine", "digits", "iris")
    tables = {name: getattr(datasets, f"load_{name}")(return_X_y=True) for name in names}
    folder = Path(os.environ.get("CUELLO_DATA", "."))
    for name in () if brief else FILES:
        for path in folder.glob(f"*/{name}.npz"):
            with np.load(path) as file:
                tables[name] = file["X"], file["y"].astype(int).ravel()
    return tables


def _measure(
    X: Array, y: Array, count: int, draw: int, *, brief: bool
) -> dict[str, tuple[float, float]]:
    """Return accuracy and seconds of each method, and of what folds choose."""
    rng = np.random.default_rng(draw)
    X = np.asarray(X, dtype=float)[:, np.std(X, axis=0) > 0]
    order = rng.permutation(len(X))[:MOST_ROWS]
    train, test = np.split(order, [int(0.75 * len(order))])
    labelled = np.zeros(len(train), dtype=bool)
    for c in np.unique(y):
        labelled[rng.choice(np.flatnonzero(y[train] == c), 3, replace=False)] = True
    more = min(count, len(train) - 5) - int(labelled.sum())
    labelled[rng.choice(np.flatnonzero(~labelled), max(more, 0), replace=False)] = True
    measured: dict[str, tuple[float, float]] = {}
    scores: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cuello.CuelloWarning)
        options: dict[str, Any] = {"epochs": 1} if brief else {}
        encoder = cuello.Autoencoder(random_state=draw, verbose=False, **options).fit(X[train])
        for method in METHODS:
            began = time.process_time()
            steps = {"steps": 3} if brief and method == "mean_teacher" else None
            model = cuello.FewLabelClassifier(
                FrozenEstimator(encoder), method=method, method_options=steps, random_state=draw
            ).fit(X[train], np.where(labelled, y[train], -1))
            accuracy = float(model.score(X[test], y[test]))
            measured[method] = accuracy, time.process_time() - began
            scores[method] = model.cv_score_
    for title, tried in (("quick", QUICK), ("any", METHODS)):
        best = max(tried, key=lambda method: scores[method])
        seconds = sum(measured[method][1] for method in tried)
        measured[title] = measured[best][0], seconds
    return measured
