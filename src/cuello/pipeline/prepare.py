"""From a job to arrays: read, split, fill, check, and choose whose labels are known.

Everything that can be refused is refused here, before any training.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from cuello.data import UNLABELLED, Dataset, constant_columns, labels, load
from cuello.data.splits import Split, part, split
from cuello.errors import DataError, InputError
from cuello.pipeline.job import Job

__all__ = ["LabelPlan", "Prepared", "explain_empty_text", "prepare"]

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]

_HELD_OUT = 1 / 3  # of given labels, in each repeat, where no test labels exist


@dataclass(frozen=True, kw_only=True)
class LabelPlan:
    """Which rows are labelled in each repeat, and what accuracy is measured on."""

    draws: tuple[Codes, ...]
    """Rows of ``Dataset.X`` that a classifier may see, one array a repeat."""
    held_out: tuple[Codes, ...] | None
    """Labelled rows kept for measuring, one array a repeat; None: the test part."""
    evaluated_on: str
    final: Codes
    """Rows that the classifier in the run folder learns from."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Data of a run, ready to be trained on."""

    data: Dataset
    rows: Split
    plan: LabelPlan | None
    fingerprint: str

    @property
    def train(self) -> Array:
        """Training rows."""
        return self.data.X[self.rows.train]

    @property
    def known_labels(self) -> Codes | None:
        """Class of each training row that the classifier in the run folder may see; others -1."""
        if self.plan is None or self.data.y is None:
            return None
        visible = np.isin(self.rows.train, self.plan.final)
        return np.where(visible, self.data.y[self.rows.train], UNLABELLED)

    @property
    def validation(self) -> Array:
        """Validation rows."""
        return self.data.X[self.rows.validation]

    @property
    def test(self) -> tuple[Array, Codes | None]:
        """Test rows and their labels."""
        return part(self.data, self.rows.test)


def prepare(job: Job) -> Prepared:
    """Read and divide the data of a job.

    Raises
    ------
    InputError, DataError
        If the data, or the labels asked for, cannot be used.
    """
    data = load(
        job.data,
        image_size=job.image_size,
        label_column=job.label_column,
        skip_bad=job.skip_bad,
    )
    data = explain_empty_text(data)
    given = job.labels is not None and job.labels != "all" and not job.labels.isdecimal()
    if given:
        assert job.labels is not None
        codes, classes = labels.read(_existing_labels(job.labels), data)
        data = replace(data, y=codes, classes=classes)
    rows = split(data, validation=job.validation, test=job.test, random_state=job.seed)
    data = data.filled(rows.train)
    _refuse_constant(data, rows, job)
    return Prepared(
        data=data,
        rows=rows,
        plan=_plan_labels(job, data, rows, given=given),
        fingerprint=_fingerprint(data),
    )


def explain_empty_text(data: Dataset) -> Dataset:
    """Add to the notes of a table what became of cells that hold none of the categories."""
    without, start = [], 0
    for column in data.encoding.get("columns", ()):
        is_category = column["kind"] == "category"
        width = len(column["categories"]) if is_category else 1
        if is_category and not data.X[:, start : start + width].any(axis=1).all():
            without.append(repr(column["name"]))
        start += width
    if not without:
        return data
    note = f"empty or unknown categories became 0 in all 0/1 columns of {', '.join(without)}"
    return replace(data, notes=(*data.notes, note))


def _existing_labels(text: str) -> Path:
    path = Path(os.path.expanduser(text))
    if path.exists():
        return path
    beside = os.listdir(path.parent) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, ["all", *beside], n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise InputError(
        f"labels={text}: give how many labels to keep (1 or more), 'all', or a CSV of "
        f"file-or-row,label; there is no file of that name{hint}"
    )


def _refuse_constant(data: Dataset, rows: Split, job: Job) -> None:
    train = data.X[rows.train]
    if np.nanmin(train) == np.nanmax(train):
        raise DataError(
            f"{data.source}: every value of the {len(train)} training rows is {train.flat[0]!s}; "
            "there is nothing to learn from."
        )
    if data.is_image or data.X.dtype == np.uint8 or job.keep_constant:
        return  # pixels at an image's border often never change
    # A category that only validation or test rows have is no fault of the data.
    rare = {
        f"{column['name']}={value}"
        for column in data.encoding.get("columns", ())
        if column["kind"] == "category" and len(column["categories"]) > 1
        for value in column["categories"]
    }
    found = constant_columns(replace(data, X=train, y=None, row_names=None))
    constant = [name for name in found if name not in rare]
    if constant:
        shown = ", ".join(str(name) for name in constant[:10])
        more = f" and {len(constant) - 10} more" if len(constant) > 10 else ""
        raise DataError(
            f"{data.source}: these columns hold a single value in all training rows: {shown}"
            f"{more}; remove them, or pass --keep-constant to keep them (they are scaled to zero)."
        )


def _plan_labels(job: Job, data: Dataset, rows: Split, *, given: bool) -> LabelPlan | None:
    partly = data.y is not None and bool((data.y == UNLABELLED).any())
    if job.labels is None and not partly:
        if job.mode is not None:
            raise InputError(
                f"mode={job.mode!r} learns from labels, and none are kept; pass labels=300 (as "
                "many as there are to be), labels=all, or a CSV of file-or-row,label."
            )
        return None
    if data.y is None or not (data.y != UNLABELLED).any():
        raise InputError(
            f"labels={job.labels}: {data.source} holds no labels; pass a CSV of file-or-row,label "
            "with --labels, or name the label column of a table with --label-column."
        )
    if len(data.classes) < 2:
        raise InputError(
            f"{data.source}: a classifier needs at least 2 classes; the labels name only "
            f"{data.classes[0]!r}."
        )
    if job.task == "binary" and len(data.classes) > 2:
        raise InputError(
            f"task='binary' is for two classes; {data.source} has {len(data.classes)}; use "
            "task='classes'."
        )
    if job.labels is not None and job.labels.isdecimal():
        return _draw(job, data, rows)
    if given or partly:
        return _use_given(job, data)
    labelled = rows.train[data.y[rows.train] != UNLABELLED]
    return LabelPlan(
        draws=(labelled,) * job.repeats,
        held_out=None,
        evaluated_on=_test_name(data, rows),
        final=labelled,
    )


def _draw(job: Job, data: Dataset, rows: Split) -> LabelPlan:
    assert job.labels is not None
    assert data.y is not None
    y_train = data.y[rows.train]
    draws = tuple(
        rows.train[
            labels.draw(
                y_train, int(job.labels), np.random.default_rng([job.seed, i]), data.classes
            )
        ]
        for i in range(job.repeats)
    )
    return LabelPlan(
        draws=draws, held_out=None, evaluated_on=_test_name(data, rows), final=draws[0]
    )


def _use_given(job: Job, data: Dataset) -> LabelPlan:
    assert data.y is not None
    known = np.flatnonzero(data.y != UNLABELLED)
    counts = np.bincount(data.y[known], minlength=len(data.classes))
    if counts.min() == 0:
        missing = [name for name, n in zip(data.classes, counts, strict=True) if n == 0]
        raise InputError(
            f"{data.source}: no row is labelled {', '.join(map(repr, missing))}; label at least "
            "one row of every class."
        )
    if data.y_test is not None and (data.y_test != UNLABELLED).any():
        return LabelPlan(
            draws=(known,) * job.repeats,
            held_out=None,
            evaluated_on=f"official test part ({len(data.y_test):,} rows)",
            final=known,
        )
    # A class with one or two labels cannot spare any: it is learned from, but not measured on.
    scarce = np.isin(data.y[known], np.flatnonzero(counts < 3))
    if scarce.all():
        raise InputError(
            f"{data.source}: no class has 3 labelled rows, so none can be held out to measure the "
            "accuracy on; label more rows."
        )
    spare, always = known[~scarce], known[scarce]
    held = max(round(len(spare) * _HELD_OUT), int((counts >= 3).sum()))
    parts = [
        train_test_split(spare, test_size=held, stratify=data.y[spare], random_state=job.seed + i)
        for i in range(job.repeats)
    ]
    return LabelPlan(
        draws=tuple(np.sort(np.concatenate([always, train])) for train, _ in parts),
        held_out=tuple(np.sort(test) for _, test in parts),
        evaluated_on=f"held-out third of the {len(known):,} labelled rows",
        final=known,
    )


def _test_name(data: Dataset, rows: Split) -> str:
    size = len(part(data, rows.test)[0])
    return f"{'official test' if rows.test is None else 'test'} part ({size:,} rows)"


def _fingerprint(data: Dataset) -> str:
    digest = hashlib.sha256(repr((data.X.shape, data.X.dtype.str, data.classes)).encode())
    for array in (data.X, data.y, data.X_test, data.y_test):
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
