"""What a handful of labels buys, by each method and over several label draws."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import confusion_matrix, f1_score

from cuello.data import UNLABELLED
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_knn_pixels, fit_pca_logistic, flat
from cuello.few_label import MODES, FewLabelClassifier
from cuello.few_label.confidence import TOO_WIDE
from cuello.metrics import mean_sd
from cuello.pipeline.job import Job, Progress
from cuello.pipeline.prepare import Prepared
from cuello.train import Watcher

__all__ = ["METHODS", "best_method", "compare", "fit_mode", "rows_for", "summarise"]

Array = npt.NDArray[Any]
Predict = Callable[[Array], npt.NDArray[np.int64]]
Record = dict[str, Any]

CV = 3
METHODS = ("pca_logistic", "knn_pixels", "scratch", "frozen", "slow", "full")
"""What is compared unasked: all are quick. A mode that is asked for comes last."""


def rows_for(
    mode: str,
    prepared: Prepared,
    known: npt.NDArray[np.int64],
    held_out: npt.NDArray[np.int64] | None = None,
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return what a mode is given, rows and labels.

    The labelled rows ``known``, and for a mode that looks at others all training rows, labelled -1,
    but for those that it is measured on.
    """
    data = prepared.data
    assert data.y is not None
    if not MODES[mode].uses_unlabelled:
        return data.X[known], data.y[known]
    rows = np.union1d(prepared.rows.train, known)
    if held_out is not None:
        rows = np.setdiff1d(rows, held_out)
    return data.X[rows], np.where(np.isin(rows, known), data.y[rows], UNLABELLED)


def fit_mode(
    mode: str,
    job: Job,
    autoencoder: Autoencoder,
    rows: Array,
    y: npt.NDArray[np.int64],
    draw: int,
    progress: Progress,
) -> FewLabelClassifier:
    """Fit one of the modes to the labelled rows of a draw; see :func:`rows_for`."""
    watcher = Watcher(step=lambda done, all: progress.update(f"mode {mode}", done, all))
    return FewLabelClassifier(
        FrozenEstimator(autoencoder),
        mode=mode,
        task=job.task,
        encoder_lr_factor=job.encoder_lr_factor,
        cv=CV,
        device=autoencoder.device,
        precision=autoencoder.precision,
        random_state=job.seed + draw,
    ).fit(rows, y, watcher=None if mode in METHODS else watcher)


def compare(
    job: Job,
    prepared: Prepared,
    autoencoder: Autoencoder,
    pca: Any,
    done: list[Record],
    keep: Callable[[list[Record]], None],
    progress: Progress,
) -> list[Record]:
    """Measure every method on every draw.

    ``done`` holds the records that an interrupted run already has; ``keep`` is called with all
    records after each new one, so that nothing computed is lost.
    """
    plan = prepared.plan
    assert plan is not None
    records = list(done)
    have = {(r["draw"], r["method"]) for r in records}
    methods = METHODS if job.mode in (None, *METHODS) else (*METHODS, job.mode)
    total = len(plan.draws) * len(methods)
    progress.update("few labels", len(records), total)
    for draw, known in enumerate(plan.draws):
        test_rows, test_y = _measured_on(prepared, draw)
        assert prepared.data.y is not None
        rows, y = prepared.data.X[known], prepared.data.y[known]
        held_out = None if plan.held_out is None else plan.held_out[draw]
        scale = autoencoder.scaling_.apply
        for method in methods:
            if (draw, method) in have:
                continue
            started = time.perf_counter()
            if method in MODES:
                given = rows_for(method, prepared, known, held_out)
                with _quiet():
                    model = fit_mode(method, job, autoencoder, *given, draw, progress)
                predicted, inside = model.predict(test_rows), model.cv_accuracy_
            else:
                if method == "pca_logistic":
                    baseline, inside = fit_pca_logistic(pca, scale(rows), y, cv=CV, seed=draw)
                else:
                    baseline, inside = fit_knn_pixels(scale(rows), y, cv=CV, seed=draw)
                predicted = baseline.predict(flat(scale(test_rows)))
            records.append(
                {
                    "draw": draw,
                    "method": method,
                    "labels": len(known),
                    **_score(test_y, predicted, len(prepared.data.classes)),
                    "cv_accuracy": None if np.isnan(inside) else inside,
                    "seconds": time.perf_counter() - started,
                }
            )
            keep(records)
            progress.update("few labels", len(records), total)
    return records


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave the width of an accuracy's interval to the classifier that is kept to warn of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", TOO_WIDE)
        yield


def _measured_on(prepared: Prepared, draw: int) -> tuple[Array, npt.NDArray[np.int64]]:
    assert prepared.plan is not None
    if prepared.plan.held_out is not None:
        held = prepared.plan.held_out[draw]
        assert prepared.data.y is not None
        return prepared.data.X[held], prepared.data.y[held]
    rows, y = prepared.test
    assert y is not None
    labelled = y != UNLABELLED
    return (rows, y) if labelled.all() else (rows[labelled], y[labelled])


def _score(
    y: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: int
) -> dict[str, Any]:
    every = list(range(classes))
    return {
        "accuracy": float((y == predicted).mean()),
        "macro_f1": float(f1_score(y, predicted, labels=every, average="macro", zero_division=0.0)),
        "confusion": confusion_matrix(y, predicted, labels=every).tolist(),
    }


def summarise(records: list[Record]) -> list[Record]:
    """Return one record a method: means and standard deviations over the draws."""
    summary = []
    for method in dict.fromkeys(r["method"] for r in records):
        own = [r for r in records if r["method"] == method]
        accuracy, accuracy_sd = mean_sd([r["accuracy"] for r in own])
        macro_f1, macro_f1_sd = mean_sd([r["macro_f1"] for r in own])
        inside = [r["cv_accuracy"] for r in own if r["cv_accuracy"] is not None]
        summary.append(
            {
                "method": method,
                "labels": own[0]["labels"],
                "repeats": len(own),
                "accuracy_mean": accuracy,
                "accuracy_sd": accuracy_sd,
                "macro_f1_mean": macro_f1,
                "macro_f1_sd": macro_f1_sd,
                "cv_accuracy_mean": mean_sd(inside)[0] if inside else None,
                "accuracy": [r["accuracy"] for r in own],
                "seconds_mean": mean_sd([r["seconds"] for r in own])[0],
            }
        )
    return summary


def best_method(summary: list[Record]) -> str:
    """Return the mode with the best accuracy inside the labelled rows.

    The test part has no say: a method chosen on it would flatter itself. Without folds to compare,
    ``slow`` is taken.
    """
    candidates = {
        r["method"]: r["cv_accuracy_mean"]
        for r in summary
        if r["method"] in MODES and r["cv_accuracy_mean"] is not None
    }
    return max(candidates, key=candidates.__getitem__, default="slow")
