"""What a handful of labels buys, by each method and over several label draws."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from cuello.arrays import Array, Indices, Record
from cuello.data.dataset import keep_labels, labelled_rows
from cuello.estimators import Autoencoder
from cuello.few_label import METHODS, FewLabelClassifier, FewLabelRegressor
from cuello.few_label.confidence import TOO_WIDE
from cuello.few_label.targets import CONSTANT_PROPERTY
from cuello.metrics import mean_sd
from cuello.run.baselines import BASELINES, Labelled
from cuello.run.job import Job, Progress
from cuello.run.prepare import Prepared
from cuello.run.tasks import COMPARED_BY_DEFAULT, job_task
from cuello.train import Callbacks

__all__ = [
    "best_method",
    "compare_methods",
    "display_name",
    "fit_method",
    "rows_for",
    "summarise_methods",
]

CV = 3


def rows_for(
    method: str, prepared: Prepared, labelled: Indices, held_out: Indices | None = None
) -> tuple[Array, Array]:
    """Return the rows and labels that a method learns from.

    The labelled rows, and for a method that looks at others all training rows, without a label,
    but for those that it is measured on.
    """
    data = prepared.data
    assert data.y is not None
    if not METHODS[method].uses_unlabelled:
        return data.X[labelled], data.y[labelled]
    rows = np.union1d(prepared.rows.train, labelled)
    if held_out is not None:
        rows = np.setdiff1d(rows, held_out)
    return data.X[rows], keep_labels(data.y[rows], np.isin(rows, labelled))


def fit_method(
    method: str,
    job: Job,
    prepared: Prepared,
    autoencoder: Autoencoder,
    samples: tuple[Array, Array],
    draw: int,
    progress: Progress,
) -> FewLabelClassifier | FewLabelRegressor:
    """Fit a method to the labelled rows of a draw; ``samples`` is of :func:`rows_for`."""
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
    with _ignore_warnings(CONSTANT_PROPERTY):  # the plan named such properties
        return model.fit(*samples, callbacks=None if method in COMPARED_BY_DEFAULT else callbacks)


def compare_methods(
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
    assert prepared.plan is not None
    records = list(done)
    have = {(r["draw"], r["method"]) for r in records}
    task, draws = job_task(prepared.data), prepared.plan.draws
    asked = () if job.method in (None, *COMPARED_BY_DEFAULT) else (job.method,)
    methods = (*task.methods, *asked)
    total = len(draws) * len(methods)
    progress.update("few labels", len(records), total)
    for draw, labelled in enumerate(draws):
        test_rows, test_y = _measured_on(prepared, draw)
        for method in methods:
            if (draw, method) in have:
                continue
            started = time.perf_counter()
            # The width of an interval is for the classifier that is kept to warn of.
            with _ignore_warnings(TOO_WIDE, CONSTANT_PROPERTY):
                predicted, cv_score = _predict(
                    method, job, prepared, autoencoder, pca, draw, test_rows, progress
                )
            records.append(
                {
                    "draw": draw,
                    "method": method,
                    "labels": len(labelled),
                    **task.score(test_y, predicted, prepared.data),
                    f"cv_{task.main}": None if np.isnan(cv_score) else cv_score,
                    "seconds": time.perf_counter() - started,
                }
            )
            keep(records)
            progress.update("few labels", len(records), total)
    return records


def _predict(
    method: str,
    job: Job,
    prepared: Prepared,
    autoencoder: Autoencoder,
    pca: Any,
    draw: int,
    test_rows: Array,
    progress: Progress,
) -> tuple[Array, float]:
    """Fit a method to a draw; return predictions of test rows, and the cross-validated score."""
    plan, data = prepared.plan, prepared.data
    assert plan is not None
    assert data.y is not None
    labelled = plan.draws[draw]
    if method in METHODS:
        held_out = None if plan.held_out is None else plan.held_out[draw]
        samples = rows_for(method, prepared, labelled, held_out)
        model = fit_method(method, job, prepared, autoencoder, samples, draw, progress)
        return model.predict(test_rows), model.cv_score_
    scale = autoencoder.scaling_.apply
    rows = Labelled(
        task=data.task, X=scale(data.X[labelled]), y=data.y[labelled], pca=pca, cv=CV, seed=draw
    )
    predict, cv_score = BASELINES[method].fit(rows)
    return predict(scale(test_rows)), cv_score


@contextmanager
def _ignore_warnings(*messages: str) -> Iterator[None]:
    with warnings.catch_warnings():
        for message in messages:
            warnings.filterwarnings("ignore", message)
        yield


def _measured_on(prepared: Prepared, draw: int) -> tuple[Array, Array]:
    assert prepared.plan is not None
    if prepared.plan.held_out is not None:
        held_out = prepared.plan.held_out[draw]
        assert prepared.data.y is not None
        return prepared.data.X[held_out], prepared.data.y[held_out]
    rows, y = prepared.test
    assert y is not None
    labelled = labelled_rows(y)
    return (rows, y) if labelled.all() else (rows[labelled], y[labelled])


def summarise_methods(
    records: list[Record],
    main: str = "accuracy",
    second: str = "macro_f1",
    *,
    is_table: bool = False,
) -> list[Record]:
    """Return one record a method: means and standard deviations over the draws.

    It holds the method's name for people, so that a table needs no registry.
    """
    summary = []
    for method in dict.fromkeys(r["method"] for r in records):
        of_method = [r for r in records if r["method"] == method]
        cv_scores = [r[f"cv_{main}"] for r in of_method if r[f"cv_{main}"] is not None]
        row = {
            "method": method,
            "display_name": display_name(method, is_table=is_table),
            "labels": of_method[0]["labels"],
            "repeats": len(of_method),
        }
        for name in (main, second):
            row[f"{name}_mean"], row[f"{name}_sd"] = mean_sd([r[name] for r in of_method])
        summary.append(
            row
            | {
                f"cv_{main}_mean": mean_sd(cv_scores)[0] if cv_scores else None,
                main: [r[main] for r in of_method],
                "seconds_mean": mean_sd([r["seconds"] for r in of_method])[0],
            }
        )
    return summary


def display_name(method: str, *, is_table: bool) -> str:
    """Return the name of a baseline or method as tables and reports show it.

    Examples
    --------
    >>> display_name("knn_pixels", is_table=True)
    '5-NN on the columns'
    """
    if method in METHODS:
        return METHODS[method].display_name
    entry = BASELINES[method]
    return (entry.display_name_of_tables if is_table else "") or entry.display_name


def best_method(summary: list[Record], main: str = "accuracy") -> str:
    """Return the few-label method with the best cross-validated score.

    The test rows have no say: a method chosen on them would flatter itself. Without folds to
    compare, ``fine_tune_slow`` is taken.
    """
    key = f"cv_{main}_mean"
    candidates = {
        r["method"]: r[key] for r in summary if r["method"] in METHODS and r[key] is not None
    }
    return max(candidates, key=candidates.__getitem__, default="fine_tune_slow")
