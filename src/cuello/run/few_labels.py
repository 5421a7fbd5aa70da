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

from cuello.data.dataset import keep_labels, labelled_rows
from cuello.estimators import Autoencoder
from cuello.few_label import METHODS, FewLabelClassifier, FewLabelRegressor
from cuello.few_label.confidence import TOO_WIDE
from cuello.few_label.targets import CONSTANT
from cuello.metrics import mean_sd
from cuello.run.job import Job, Progress
from cuello.run.prepare import Prepared
from cuello.run.tasks import NETWORKS, job_task
from cuello.train import Callbacks

__all__ = ["COMPARED_METHODS", "best_method", "compare", "fit_method", "rows_for", "summarise"]

Array = npt.NDArray[Any]
Record = dict[str, Any]

CV = 3
COMPARED_METHODS = ("pca_logistic", "knn_pixels", *NETWORKS)
"""What is compared unasked for classes."""


def rows_for(
    method: str,
    prepared: Prepared,
    known: npt.NDArray[np.int64],
    held_out: npt.NDArray[np.int64] | None = None,
) -> tuple[Array, Array]:
    """Return what a mode is given, rows and labels.

    The labelled rows ``known``, and for a mode that looks at others all training rows, without a
    label, but for those that it is measured on.
    """
    data = prepared.data
    assert data.y is not None
    if not METHODS[method].uses_unlabelled:
        return data.X[known], data.y[known]
    rows = np.union1d(prepared.rows.train, known)
    if held_out is not None:
        rows = np.setdiff1d(rows, held_out)
    return data.X[rows], keep_labels(data.y[rows], np.isin(rows, known))


def fit_method(
    method: str,
    job: Job,
    prepared: Prepared,
    autoencoder: Autoencoder,
    given: tuple[Array, Array],
    draw: int,
    progress: Progress,
) -> FewLabelClassifier | FewLabelRegressor:
    """Fit one of the modes to the labelled rows of a draw; ``given`` is of :func:`rows_for`."""
    callbacks = Callbacks(step=lambda done, all: progress.update(f"method {method}", done, all))
    model = job_task(prepared.data).estimator(
        FrozenEstimator(autoencoder),
        method=method,
        task=job.task,
        encoder_lr_factor=job.encoder_lr_factor,
        cv=CV,
        device=autoencoder.device,
        precision=autoencoder.precision,
        random_state=job.seed + draw,
    )
    with _without(CONSTANT):  # the plan named such properties
        return model.fit(*given, callbacks=None if method in NETWORKS else callbacks)


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
    task, data = job_task(prepared.data), prepared.data
    asked = () if job.method in (None, *NETWORKS) else (job.method,)
    methods = (*task.methods, *asked)
    total = len(plan.draws) * len(methods)
    progress.update("few labels", len(records), total)
    for draw, known in enumerate(plan.draws):
        test_rows, test_y = _measured_on(prepared, draw)
        assert data.y is not None
        rows, y = data.X[known], data.y[known]
        held_out = None if plan.held_out is None else plan.held_out[draw]
        scale = autoencoder.scaling_.apply
        for method in methods:
            if (draw, method) in have:
                continue
            started = time.perf_counter()
            # The width of an interval is for the classifier that is kept to warn of.
            with _without(TOO_WIDE, CONSTANT):
                if method in METHODS:
                    given = rows_for(method, prepared, known, held_out)
                    model = fit_method(method, job, prepared, autoencoder, given, draw, progress)
                    predicted, inside = model.predict(test_rows), model.cv_score_
                else:
                    predict, inside = task.baseline(method, pca, scale(rows), y, cv=CV, seed=draw)
                    predicted = predict(scale(test_rows))
            records.append(
                {
                    "draw": draw,
                    "method": method,
                    "labels": len(known),
                    **task.score(test_y, predicted, data),
                    f"cv_{task.main}": None if np.isnan(inside) else inside,
                    "seconds": time.perf_counter() - started,
                }
            )
            keep(records)
            progress.update("few labels", len(records), total)
    return records


@contextmanager
def _without(*messages: str) -> Iterator[None]:
    with warnings.catch_warnings():
        for message in messages:
            warnings.filterwarnings("ignore", message)
        yield


def _measured_on(prepared: Prepared, draw: int) -> tuple[Array, Array]:
    assert prepared.plan is not None
    if prepared.plan.held_out is not None:
        held = prepared.plan.held_out[draw]
        assert prepared.data.y is not None
        return prepared.data.X[held], prepared.data.y[held]
    rows, y = prepared.test
    assert y is not None
    labelled = labelled_rows(y)
    return (rows, y) if labelled.all() else (rows[labelled], y[labelled])


def summarise(
    records: list[Record], main: str = "accuracy", second: str = "macro_f1"
) -> list[Record]:
    """Return one record a method: means and standard deviations over the draws."""
    summary = []
    for method in dict.fromkeys(r["method"] for r in records):
        own = [r for r in records if r["method"] == method]
        inside = [r[f"cv_{main}"] for r in own if r[f"cv_{main}"] is not None]
        row = {"method": method, "labels": own[0]["labels"], "repeats": len(own)}
        for name in (main, second):
            row[f"{name}_mean"], row[f"{name}_sd"] = mean_sd([r[name] for r in own])
        summary.append(
            row
            | {
                f"cv_{main}_mean": mean_sd(inside)[0] if inside else None,
                main: [r[main] for r in own],
                "seconds_mean": mean_sd([r["seconds"] for r in own])[0],
            }
        )
    return summary


def best_method(summary: list[Record], main: str = "accuracy") -> str:
    """Return the mode with the best score inside the labelled rows.

    The test part has no say: a method chosen on it would flatter itself. Without folds to compare,
    ``fine_tune_slow`` is taken.
    """
    inside = f"cv_{main}_mean"
    candidates = {
        r["method"]: r[inside] for r in summary if r["method"] in METHODS and r[inside] is not None
    }
    return max(candidates, key=candidates.__getitem__, default="fine_tune_slow")
