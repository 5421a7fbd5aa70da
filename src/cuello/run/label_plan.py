"""Which labels are used in each repeat, and which rows are measured on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from cuello.arrays import Array, Indices
from cuello.data import Dataset
from cuello.data.dataset import labelled_rows
from cuello.data.drawing import draw_any, draw_by_class
from cuello.data.readers.targets import MOST_CLASSES
from cuello.data.spelling import whole_number
from cuello.data.splits import Split, split_arrays
from cuello.errors import Argument, CuelloWarning, InputError, Use
from cuello.run.job import KEEP_LABELS, Job

__all__ = ["LabelPlan", "plan_labels"]

_HELD_OUT_SHARE = 1 / 3  # of the labels, in each repeat, where no test labels exist
_FEWEST_LABELS = 4  # labels that can be divided into folds, where they are no classes


@dataclass(frozen=True, kw_only=True)
class LabelPlan:
    """Which rows are labelled in each repeat, and what accuracy is measured on."""

    draws: tuple[Indices, ...]
    """Rows of ``Dataset.X`` that a classifier may see, one array a repeat."""
    held_out: tuple[Indices, ...] | None
    """Labelled rows kept for measuring, one array a repeat; None: the test rows."""
    evaluated_on: str
    final: Indices
    """Rows that the classifier in the run folder learns from."""


def plan_labels(job: Job, data: Dataset, rows: Split, *, from_file: bool) -> LabelPlan | None:
    """Choose the labels of each repeat; None where no labels are to be learned from.

    Parameters
    ----------
    job : Job
    data : Dataset
    rows : Split
    from_file : bool
        Whether labels come from a file beside the data.

    Raises
    ------
    InputError
        If there are too few labels, or nothing can be learned from them.
    """
    labelled = data.labelled
    partly = data.y is not None and not labelled.all()
    if job.labels is None and not partly:
        _refuse_without_labels(job, data)
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
    check = {
        "multiclass": _check_class_labels,
        "multilabel": _check_property_labels,
        "regression": _check_numbers,
    }
    check[data.task](job, data)
    if job.labels is not None and job.labels.isdecimal():
        plan = _draw(job, data, rows)
    elif from_file or partly:
        plan = _use_given(job, data)
    else:
        train = rows.train[labelled[rows.train]]
        plan = _on_test_split(data, rows, (train,) * job.repeats)
    if data.task != "multiclass":
        _check_plan(data, rows, plan)
    return plan


def _refuse_without_labels(job: Job, data: Dataset) -> None:
    if job.method is not None:
        argument, value = "method", job.method
    elif job.task in ("regression", "multilabel"):
        argument, value = "task", job.task
    else:
        return
    raise InputError(
        "learns from labels, and none are kept",
        argument=argument,
        value=value,
        remedy=KEEP_LABELS,
    )


def _check_class_labels(job: Job, data: Dataset) -> None:
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


def _check_property_labels(job: Job, data: Dataset) -> None:
    values = _labels_of(data, data.labelled)
    for name, low, high in zip(
        data.properties, values.min(axis=0), values.max(axis=0), strict=True
    ):
        if low == high:
            raise InputError(
                f"{data.source}: property {name!r} is {low:g} in every labelled row, so there is "
                "nothing to learn of it",
                remedy="leave it out, or label rows with it and without",
            )


def _check_numbers(job: Job, data: Dataset) -> None:
    values = np.unique(_labels_of(data, data.labelled))
    if len(values) < 2:
        raise InputError(
            f"{data.source}: every label is the number {values[0]:g}; there is nothing to learn."
        )


def _check_plan(data: Dataset, rows: Split, plan: LabelPlan) -> None:
    """Refuse repeats whose labels are all alike, before anything is trained."""
    for draw, labelled in enumerate(plan.draws):
        y = _labels_of(data, labelled)
        test = _labels_of(data, plan.held_out[draw]) if plan.held_out else _test_labels(data, rows)
        if not len(test):
            raise InputError(
                f"{data.source}: no row of the test split has a label to measure on",
                remedy="label some, or give labels as a CSV of file-or-row,label",
            )
        if data.task == "multilabel":
            _warn_of_constant(data, y, draw)
            continue
        for what, values in (("learn from", y), ("measure on", test)):
            if len(np.unique(values)) < 2:
                raise InputError(
                    f"{data.source}: all {len(values)} labels to {what} in repeat {draw + 1} are "
                    f"the number {values[0]:g}",
                    remedy="keep more labels",
                )


def _warn_of_constant(data: Dataset, y: Array, draw: int) -> None:
    same = np.flatnonzero(y.min(axis=0) == y.max(axis=0))
    if len(same):
        warnings.warn(
            f"in repeat {draw + 1} property {', '.join(repr(data.properties[k]) for k in same)} is "
            f"the same in all {len(y)} labelled rows, so nothing is learned of it there; keep more "
            "labels.",
            CuelloWarning,
            stacklevel=2,
        )


def _labels_of(data: Dataset, rows: Array) -> Array:
    assert data.y is not None
    return np.asarray(data.y[rows])


def _test_labels(data: Dataset, rows: Split) -> Array:
    y = split_arrays(data, rows.test)[1]
    return np.empty(0) if y is None else np.asarray(y[labelled_rows(y)])


def _draw(job: Job, data: Dataset, rows: Split) -> LabelPlan:
    assert job.labels is not None
    assert data.y is not None
    y, count = data.y[rows.train], int(job.labels)
    draws = []
    for i in range(job.repeats):
        rng = np.random.default_rng([job.seed, i])
        if data.task == "multiclass":
            with _hint_at_amounts(data):
                chosen = draw_by_class(y, count, rng, data.classes)
        else:
            chosen = draw_any(y, count, rng, fewest=_FEWEST_LABELS)
        draws.append(rows.train[chosen])
    return _on_test_split(data, rows, tuple(draws))


@contextmanager
def _hint_at_amounts(data: Dataset) -> Iterator[None]:
    """Add to a refusal that many whole numbers could be amounts."""
    try:
        yield
    except InputError as error:
        if len(data.classes) > MOST_CLASSES and all(
            whole_number(name) is not None for name in data.classes
        ):
            hint: list[str | Argument | Use] = [
                f"{error} If the labels are amounts, ",
                Use("task", "regression"),
            ]
            raise InputError(hint) from None
        raise


def _on_test_split(data: Dataset, rows: Split, draws: tuple[Indices, ...]) -> LabelPlan:
    size = len(split_arrays(data, rows.test)[0])
    where = f"{'official test' if rows.test is None else 'test'} split ({size:,} rows)"
    return LabelPlan(draws=draws, held_out=None, evaluated_on=where, final=draws[0])


def _use_given(job: Job, data: Dataset) -> LabelPlan:
    labelled = np.flatnonzero(data.labelled)
    classes = data.task == "multiclass"
    if classes:
        _refuse_missing_class(data, labelled)
    if data.y_test is not None and labelled_rows(data.y_test).any():
        return LabelPlan(
            draws=(labelled,) * job.repeats,
            held_out=None,
            evaluated_on=f"official test split ({len(data.y_test):,} rows)",
            final=labelled,
        )
    always, spare, held = (_spare_classes if classes else _spare_any)(data, labelled)
    divided = [
        train_test_split(
            spare,
            test_size=held,
            stratify=_labels_of(data, spare) if classes else None,
            random_state=job.seed + i,
        )
        for i in range(job.repeats)
    ]
    return LabelPlan(
        draws=tuple(np.sort(np.concatenate([always, train])) for train, _ in divided),
        held_out=tuple(np.sort(test) for _, test in divided),
        evaluated_on=f"held-out third of the {len(labelled):,} labelled rows",
        final=labelled,
    )


def _refuse_missing_class(data: Dataset, labelled: Indices) -> None:
    counts = np.bincount(_labels_of(data, labelled), minlength=len(data.classes))
    if counts.min() == 0:
        missing = [name for name, n in zip(data.classes, counts, strict=True) if n == 0]
        raise InputError(
            f"{data.source}: no row is labelled {', '.join(map(repr, missing))}",
            remedy="label at least one row of every class",
        )


def _spare_classes(data: Dataset, labelled: Indices) -> tuple[Indices, Indices, int]:
    """Return rows that are always learned from, those that may be held out, and how many are."""
    y = _labels_of(data, labelled)
    counts = np.bincount(y, minlength=len(data.classes))
    # A class with one or two labels cannot spare any: it is learned from, but not measured on.
    scarce = np.isin(y, np.flatnonzero(counts < 3))
    if scarce.all():
        raise InputError(
            f"{data.source}: no class has 3 labelled rows, so none can be held out to measure the "
            "accuracy on",
            remedy="label more rows",
        )
    spare = labelled[~scarce]
    held = max(round(len(spare) * _HELD_OUT_SHARE), int((counts >= 3).sum()))
    return labelled[scarce], spare, held


def _spare_any(data: Dataset, labelled: Indices) -> tuple[Indices, Indices, int]:
    held = round(len(labelled) * _HELD_OUT_SHARE)
    if len(labelled) - held < _FEWEST_LABELS:
        raise InputError(
            f"{data.source}: {len(labelled)} labelled rows are too few to hold a third of them out "
            "and learn from the others",
            remedy="label 6 rows or more",
        )
    return labelled[:0], labelled, held
