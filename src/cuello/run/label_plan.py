"""Choice of the labels of each repeat, and of the samples to measure on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from cuello.arrays import Array, Indices
from cuello.data import Dataset
from cuello.data.dataset import labelled_rows
from cuello.data.label_arrays import MOST_CLASSES
from cuello.data.spelling import whole_number
from cuello.data.splits import Split, draw_any, draw_by_class, split_arrays
from cuello.errors import Argument, CuelloWarning, InputError, Use
from cuello.run.job import KEEP_LABELS, Job

__all__ = ["LabelPlan", "plan_labels"]

_HELD_OUT_SHARE = 1 / 3  # of the labels, in each repeat, where no test labels exist
_FEWEST_LABELS = 4  # labels that can be divided into folds, where they are no classes


@dataclass(frozen=True, kw_only=True)
class LabelPlan:
    """Positions in ``Dataset.X`` of labelled samples to learn from and to measure on."""

    draws: tuple[Indices, ...]
    """Samples whose labels a classifier may see, one array a repeat."""
    held_out: tuple[Indices, ...] | None
    """Labelled samples to measure on, one array a repeat; None: the test split."""
    evaluated_on: str
    final: Indices
    """Samples that the classifier in the run folder learns from."""


def plan_labels(job: Job, data: Dataset, rows: Split, *, from_file: bool) -> LabelPlan | None:
    """Choose the labels of each repeat; None where no labels are to be learned from.

    Refuse (InputError) too few labels, and labels that nothing can be learned from. ``from_file``
    is true of labels from a file beside the data.
    """
    labelled = data.labelled
    partly = data.y is not None and not labelled.all()
    if job.labels is None and not partly:
        if job.method != "auto" or job.task in ("regression", "multilabel"):
            argument = "task" if job.method == "auto" else "method"
            raise InputError(
                "learns from labels, and none are kept",
                argument=argument,
                value=getattr(job, argument),
                remedy=KEEP_LABELS,
            )
        return None
    if not labelled.any():
        raise InputError(
            f"cannot be kept: {data.source} holds none",
            argument="labels",
            value=job.labels,
            remedy=[
                "pass a CSV of file-or-row,label, or name the label column of a table with ",
                Argument("label_column"),
            ],
        )
    _check_labels(job, data)
    if job.labels is not None and job.labels.isdecimal():
        plan = _draw(job, data, rows)
    elif from_file or partly:
        plan = _use_all(job, data)
    else:
        train = rows.train[labelled[rows.train]]
        plan = _on_test_split(data, rows, (train,) * job.draws)
    if data.task != "multiclass":
        _check_plan(data, rows, plan)
    return plan


def _check_labels(job: Job, data: Dataset) -> None:
    """Refuse labels that are all alike, or do not fit the task."""
    if data.task == "multiclass":
        if len(data.classes) < 2:
            raise InputError(
                f"{data.source}: a classifier needs at least 2 classes; the labels name only "
                f"{data.classes[0]!r}"
            )
        if job.task == "binary" and len(data.classes) > 2:
            raise InputError(
                f"is for two classes, and {data.source} has {len(data.classes)}",
                argument="task",
                value="binary",
                remedy=Use("task", "multiclass"),
            )
        return
    y = _labels_of(data, data.labelled)
    low, high = y.min(axis=0), y.max(axis=0)
    if data.task == "regression" and low == high:
        raise InputError(
            f"{data.source}: every label is the number {low:g}; there is nothing to learn."
        )
    for k in np.flatnonzero(low == high):
        raise InputError(
            f"{data.source}: property {data.properties[k]!r} is {low[k]:g} in every labelled "
            "sample, so there is nothing to learn of it",
            remedy="leave it out, or label samples with it and without",
        )


def _check_plan(data: Dataset, rows: Split, plan: LabelPlan) -> None:
    """Refuse repeats whose labels are all alike."""
    for draw, labelled in enumerate(plan.draws):
        y = _labels_of(data, labelled)
        if plan.held_out is not None:
            test = _labels_of(data, plan.held_out[draw])
        else:
            y_test = split_arrays(data, rows.test)[1]
            test = np.empty(0) if y_test is None else y_test[labelled_rows(y_test)]
        if not len(test):
            raise InputError(
                f"{data.source}: no sample of the test split has a label to measure on",
                remedy="label some, or give labels as a CSV of file-or-row,label",
            )
        if data.task == "multilabel":
            same = np.flatnonzero(y.min(axis=0) == y.max(axis=0))
            if len(same):
                names = ", ".join(repr(data.properties[k]) for k in same)
                warnings.warn(
                    f"in repeat {draw + 1} property {names} is the same in all {len(y)} labelled "
                    "samples, so nothing is learned of it there; keep more labels.",
                    CuelloWarning,
                    stacklevel=2,
                )
            continue
        for purpose, values in (("learn from", y), ("measure on", test)):
            if len(np.unique(values)) < 2:
                raise InputError(
                    f"{data.source}: all {len(values)} labels to {purpose} in repeat {draw + 1} "
                    f"are the number {values[0]:g}",
                    remedy="keep more labels",
                )


def _labels_of(data: Dataset, rows: Array) -> Array:
    assert data.y is not None
    return np.asarray(data.y[rows])


def _draw(job: Job, data: Dataset, rows: Split) -> LabelPlan:
    assert job.labels is not None
    assert data.y is not None
    y, count = data.y[rows.train], int(job.labels)
    draws = []
    for i in range(job.draws):
        rng = np.random.default_rng([job.seed, i])
        if data.task != "multiclass":
            chosen = draw_any(y, count, rng, fewest=_FEWEST_LABELS)
        else:
            try:
                chosen = draw_by_class(y, count, rng, data.classes)
            except InputError as error:
                if len(data.classes) <= MOST_CLASSES or any(
                    whole_number(name) is None for name in data.classes
                ):
                    raise
                hint = f"{error} If the labels are amounts, "
                raise InputError([hint, Use("task", "regression")]) from None
        draws.append(rows.train[chosen])
    return _on_test_split(data, rows, tuple(draws))


def _on_test_split(data: Dataset, rows: Split, draws: tuple[Indices, ...]) -> LabelPlan:
    size = len(split_arrays(data, rows.test)[0])
    where = f"{'official test' if rows.test is None else 'test'} split ({size:,} samples)"
    return LabelPlan(draws=draws, held_out=None, evaluated_on=where, final=draws[0])


def _use_all(job: Job, data: Dataset) -> LabelPlan:
    """Learn from every label; without labels in a test split hold a third of them out."""
    labelled = np.flatnonzero(data.labelled)
    y = _labels_of(data, labelled)
    is_classes = data.task == "multiclass"
    counts: Array = np.bincount(y, minlength=len(data.classes)) if is_classes else np.empty(0)
    if is_classes and counts.min() == 0:
        missing = [name for name, n in zip(data.classes, counts, strict=True) if n == 0]
        raise InputError(
            f"{data.source}: no sample is labelled {', '.join(map(repr, missing))}",
            remedy="label at least one sample of every class",
        )
    if data.y_test is not None and labelled_rows(data.y_test).any():
        return LabelPlan(
            draws=(labelled,) * job.draws,
            held_out=None,
            evaluated_on=f"official test split ({len(data.y_test):,} samples)",
            final=labelled,
        )
    # A class with one or two labels cannot spare any: it is learned from, but not measured on.
    scarce = np.isin(y, np.flatnonzero(counts < 3)) if is_classes else np.zeros(len(y), dtype=bool)
    spare = np.flatnonzero(~scarce)
    held = max(round(len(spare) * _HELD_OUT_SHARE), int((counts >= 3).sum()))
    if is_classes and not held:
        raise InputError(
            f"{data.source}: no class has 3 labelled samples, so none can be held out to measure "
            "the accuracy on",
            remedy="label more samples",
        )
    if not is_classes and len(labelled) - held < _FEWEST_LABELS:
        raise InputError(
            f"{data.source}: {len(labelled)} labelled samples are too few to hold a third of them "
            "out and learn from the others",
            remedy="label 6 samples or more",
        )
    held_out = [
        train_test_split(
            labelled[spare],
            test_size=held,
            stratify=y[spare] if is_classes else None,
            random_state=job.seed + i,
        )[1]
        for i in range(job.draws)
    ]
    return LabelPlan(
        draws=tuple(np.setdiff1d(labelled, test) for test in held_out),
        held_out=tuple(np.sort(test) for test in held_out),
        evaluated_on=f"held-out third of the {len(labelled):,} labelled samples",
        final=labelled,
    )
