"""Few-label methods and baselines, measured on several label draws."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import confusion_matrix, f1_score, multilabel_confusion_matrix

from cuello import clock
from cuello.arrays import Array, Indices, Record
from cuello.data import Dataset
from cuello.data.dataset import keep_labels, labelled_rows
from cuello.estimators import Autoencoder
from cuello.few_label import METHODS, FewLabelClassifier, FewLabelRegressor, Regression
from cuello.few_label.cross_validation import TOO_WIDE
from cuello.few_label.targets import CONSTANT_PROPERTY
from cuello.few_label.unpredicted import NEVER_PREDICTED
from cuello.metrics import mean_sd
from cuello.run.baselines import BASELINES, Labelled
from cuello.run.folder import RunFolder
from cuello.run.job import SLOW_METHOD, Budget, Job, Progress
from cuello.run.prepare import Prepared
from cuello.run.schema import score_names
from cuello.train import Callback

__all__ = [
    "compare_methods",
    "compared_methods",
    "display_name",
    "figure_data",
    "is_baseline",
    "fit_method",
    "samples_for",
    "summarise_methods",
]

CV = 3
SHOWN = 300
"""Samples of each draw whose predicted numbers are kept, to be drawn beside the true ones."""


def compared_methods(
    task: str, *, kept: str = "auto", is_table: bool = False, in_full: bool = False
) -> tuple[str, ...]:
    """Return baselines, further methods, and last the one that is kept."""
    baselines = [
        name
        for name, entry in BASELINES.items()
        if task in entry.tasks and (is_table or not entry.tables_only)
    ]
    methods = [
        name
        for name, method in METHODS.items()
        if (method.is_baseline or (in_full and method.compared_on_request))
        and (task == "multiclass" or not method.single_label_only)
        and (is_table or not method.tables_only)
    ]
    return (*(method for method in [*baselines, *methods] if method != kept), kept)


def is_baseline(method: str) -> bool:
    """Return whether a method is what the others are compared with."""
    return method in BASELINES or (method in METHODS and METHODS[method].is_baseline)


def samples_for(
    method: str, prepared: Prepared, labelled: Indices, held_out: Indices | None = None
) -> tuple[Array, Array]:
    """Return the samples and labels that a method learns from.

    The labelled ones; for a method that uses unlabelled samples, also all other training samples
    (without their labels) except those held out to measure on.
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
    max_time: float | None = None,
) -> FewLabelClassifier | FewLabelRegressor:
    """Fit a method to the samples that :func:`samples_for` returns for a draw."""
    callbacks = Callback(
        on_step_end=lambda done, all: progress.update(f"method {method}", done, all)
    )
    regression = prepared.data.task == "regression"
    model = (FewLabelRegressor if regression else FewLabelClassifier)(
        FrozenEstimator(autoencoder),
        method=method,
        task=job.task,
        encoder_lr_factor=job.encoder_lr_factor,
        cv=CV,
        device=autoencoder.device,
        precision=autoencoder.precision,
        max_time=None if max_time is None else max(max_time, 1e-3),
        random_state=job.seed + draw,
    )
    # The plan named such properties; of all samples the classifier that is kept is examined.
    with _ignore_warnings(CONSTANT_PROPERTY, NEVER_PREDICTED):
        # Progress of one that takes seconds would only flicker.
        brief = METHODS[method].is_quick or METHODS[method].compared_on_request
        return model.fit(*samples, callbacks=None if brief else callbacks)


def compare_methods(
    job: Job,
    prepared: Prepared,
    autoencoder: Autoencoder,
    pca: PCA,
    folder: RunFolder,
    progress: Progress,
    budget: Budget,
) -> tuple[list[Record], dict[str, FewLabelClassifier | FewLabelRegressor]]:
    """Measure every method on every draw, and return one record for each.

    Records are kept in the folder one by one, so that an interrupted run goes on after the last.
    Also return the models of the first draw, by method, where those labels are all that a run
    learns from.
    """
    plan, data = prepared.plan, prepared.data
    assert plan is not None
    assert data.y is not None
    records = folder.read_lines("few_labels.jsonl")
    have = {(r["draw"], r["method"]) for r in records}
    is_table = len(data.shape) == 1
    methods = compared_methods(data.task, kept=job.method, is_table=is_table, in_full=job.compare)
    slow = {m for m in methods if m in METHODS and not METHODS[m].is_quick}
    if job.max_time is not None:  # quick ones first, and then the one that is kept
        methods = tuple(sorted(methods, key=lambda m: (m in slow) + (m in slow - {job.method})))
    models: dict[str, FewLabelClassifier | FewLabelRegressor] = {}
    total = len(plan.draws) * len(methods)
    scale = autoencoder.scaling_.apply
    progress.update("few labels", len(records), total)
    for draw, labelled in enumerate(plan.draws):
        first = [r for r in records if r["draw"] == 0]
        is_begun = draw in {r["draw"] for r in records}
        if draw and not is_begun and not budget.allows(sum(r["seconds"] for r in first)):
            budget.losses.append(f"of {len(plan.draws)} label draws, {draw} were made")
            break
        if draw:
            methods = tuple(dict.fromkeys(r["method"] for r in first))
        held_out = None if plan.held_out is None else plan.held_out[draw]
        test_X, test_y = _test_samples(prepared, held_out)
        for method in methods:
            if (draw, method) in have:
                continue
            needed = SLOW_METHOD * (job.max_time or 0.0) if method in slow else 0.0
            if not draw and method != job.method and not budget.allows(needed):
                budget.losses.append(f"{display_name(method, is_table=is_table)} was left out")
                continue
            started = clock.now()
            which = f", draw {draw + 1} of {len(plan.draws)}" if len(plan.draws) > 1 else ""
            detail = display_name(method, is_table=is_table) + which
            progress.update("few labels", len(records), total, detail)
            # The width of an interval is for the classifier that is kept to warn of.
            with _ignore_warnings(TOO_WIDE, CONSTANT_PROPERTY):
                if method in METHODS:
                    samples = samples_for(method, prepared, labelled, held_out)
                    model = fit_method(
                        method, job, prepared, autoencoder, samples, draw, progress, budget.left
                    )
                    predicted, cv_score = model.predict(test_X), model.cv_score_
                    kept = model.method_
                    if draw == 0 and held_out is None:
                        models[method] = model
                else:
                    X, y = scale(data.X[labelled]), data.y[labelled]
                    labelled_data = Labelled(task=data.task, X=X, y=y, pca=pca, cv=CV, seed=draw)
                    predict, cv_score = BASELINES[method].fit(labelled_data)
                    predicted, kept = predict(scale(test_X)), method
            records.append(
                {
                    "draw": draw,
                    "method": method,
                    "kept_method": kept,
                    "labels": len(labelled),
                    **_score(test_y, predicted, data),
                    f"cv_{score_names(data.task)[0]}": None if np.isnan(cv_score) else cv_score,
                    "seconds": clock.now() - started,
                }
            )
            folder.write_lines("few_labels.jsonl", records)
            progress.update("few labels", len(records), total)
    return records, models


@contextmanager
def _ignore_warnings(*messages: str) -> Iterator[None]:
    with warnings.catch_warnings():
        for message in messages:
            warnings.filterwarnings("ignore", message)
        yield


def _test_samples(prepared: Prepared, held_out: Indices | None) -> tuple[Array, Array]:
    """Return labelled samples to measure on: held-out ones, or else those of the test split."""
    if held_out is not None:
        assert prepared.data.y is not None
        return prepared.data.X[held_out], prepared.data.y[held_out]
    X, y = prepared.test
    assert y is not None
    labelled = labelled_rows(y)
    return (X, y) if labelled.all() else (X[labelled], y[labelled])


def _score(y: Array, predicted: Array, data: Dataset) -> Record:
    """Return both scores of predictions (means over properties), and the data of figures."""
    if data.task == "regression":
        shown = np.unique(np.linspace(0, len(y) - 1, SHOWN).astype(np.int64))
        return {
            "r2": Regression().score(predicted[:, None], y),
            "mae": float(np.abs(y - predicted).mean()),
            "true": y[shown].tolist(),
            "predicted": predicted[shown].tolist(),
        }
    y = y.astype(np.int64)
    every = list(range(len(data.classes))) or None
    counts: Record
    if data.task == "multiclass":
        counts = {"confusion": confusion_matrix(y, predicted, labels=every).tolist()}
    else:
        counts = {"counts": multilabel_confusion_matrix(y, predicted).tolist()}
    f1 = f1_score(y, predicted, labels=every, average="macro", zero_division=0.0)
    return {"accuracy": float((y == predicted).mean()), "macro_f1": float(f1), **counts}


def figure_data(method: str, records: list[Record], data: Dataset) -> Record:
    """Return the data of the figure that the report draws of one method."""
    records = [r for r in records if r["method"] == method]
    if data.task == "regression":
        pairs = {key: [v for r in records for v in r[key]] for key in ("true", "predicted")}
        name = data.encoding.get("label_column") or "number"
        return {"scatter": {"method": method, "name": name, **pairs}}
    if data.task == "multilabel":
        counts = np.sum([r["counts"] for r in records], axis=0).tolist()
        return {"properties": {"method": method, "names": list(data.properties), "counts": counts}}
    matrix = np.sum([r["confusion"] for r in records], axis=0).tolist()
    return {"confusion": {"method": method, "matrix": matrix, "classes": list(data.classes)}}


def summarise_methods(
    records: list[Record], task: str = "multiclass", *, is_table: bool = False
) -> list[Record]:
    """Return one record a method, with means and standard deviations over the draws."""
    main, second = score_names(task)
    summary = []
    for method in dict.fromkeys(r["method"] for r in records):
        of_method = [r for r in records if r["method"] == method]
        cv_scores = [r[f"cv_{main}"] for r in of_method if r[f"cv_{main}"] is not None]
        row = {
            "method": method,
            "display_name": _name_of(of_method, is_table=is_table),
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
    """Return the name of a baseline or method as tables and reports show it."""
    if method in METHODS:
        return METHODS[method].display_name
    entry = BASELINES[method]
    return (entry.display_name_of_tables if is_table else "") or entry.display_name


def _name_of(records: list[Record], *, is_table: bool) -> str:
    """Return the display name of a method, with the one that it took in all label draws."""
    method, kept = records[0]["method"], {record["kept_method"] for record in records}
    name = display_name(method, is_table=is_table)
    if kept == {method} or len(kept) > 1:
        return name
    return f"{name}: {display_name(*kept, is_table=is_table).lower()}"
