"""From a job to arrays: read, split, fill, check, and choose which labels are used.

Everything that can be refused is refused here, before any training.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cuello.arrays import Array, Codes, Record
from cuello.data import Dataset, constant_columns, load
from cuello.data.dataset import feature_blocks, keep_labels
from cuello.data.labels import with_labels
from cuello.data.readers.base import join_names
from cuello.data.splits import Split, make_split, split_arrays
from cuello.errors import Argument, DataError, InputError
from cuello.run.job import Job
from cuello.run.label_plan import LabelPlan, plan_labels

__all__ = ["Prepared", "explain_empty_text", "prepare"]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Data of a run, ready to be trained on."""

    data: Dataset
    rows: Split
    plan: LabelPlan | None
    fingerprint: str

    @property
    def train(self) -> Array:
        """Training samples."""
        return self.data.X[self.rows.train]

    @property
    def visible_labels(self) -> Codes | None:
        """Class of each training sample that the kept classifier may see, -1 for the others.

        None where no label is kept, or labels are no classes.
        """
        if self.plan is None or self.data.y is None or self.data.task != "multiclass":
            return None
        visible = np.isin(self.rows.train, self.plan.final)
        return keep_labels(self.data.y[self.rows.train], visible)

    @property
    def validation(self) -> Array:
        """Validation samples."""
        return self.data.X[self.rows.validation]

    @property
    def test(self) -> tuple[Array, Array | None]:
        """Test samples and their labels."""
        return split_arrays(self.data, self.rows.test)

    def describe(self) -> Record:
        """Return name, source, shape, task, classes, and the size of each split of the data."""
        return {
            "name": self.data.name,
            "source": self.data.source,
            "shape": list(self.data.shape),
            "task": self.data.task,
            "classes": list(self.data.classes),
            "properties": list(self.data.properties),
            "rows": {
                "train": len(self.rows.train),
                "validation": len(self.rows.validation),
                "test": len(self.test[0]),
            },
        }


def prepare(job: Job) -> Prepared:
    """Read and divide the data of a job; refuse data or labels that cannot be used."""
    from_file = job.labels is not None and job.labels != "all" and not job.labels.isdecimal()
    data = load(
        job.data,
        image_size=job.image_size,
        label_column=job.label_column,
        task="auto" if from_file else job.task,  # the task is that of the labels in the file
        skip_bad=job.skip_bad,
    )
    data = explain_empty_text(data)
    if from_file:
        assert job.labels is not None
        data = with_labels(_existing_labels(job.labels), data, job.task)
    rows = make_split(data, validation=job.validation, test=job.test, random_state=job.seed)
    data = data.filled(rows.train)
    _refuse_constant(data, rows, job)
    return Prepared(
        data=data,
        rows=rows,
        plan=plan_labels(job, data, rows, from_file=from_file),
        fingerprint=_fingerprint(data),
    )


def explain_empty_text(data: Dataset) -> Dataset:
    """Add a note on cells of a table that hold none of the categories."""
    without = [
        repr(column["name"])
        for column, block in feature_blocks(data.encoding)
        if column["kind"] == "category" and not data.X[:, block].any(axis=1).all()
    ]
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
    raise InputError(
        "is no file that exists",
        argument="labels",
        value=text,
        allowed="how many labels to keep (1 or more), 'all', or a CSV of file-or-row,label",
        remedy=f"did you mean {near[0]}?" if near else "",
    )


def _refuse_constant(data: Dataset, rows: Split, job: Job) -> None:
    train = data.X[rows.train]
    if np.nanmin(train) == np.nanmax(train):
        raise DataError(
            f"{data.source}: every value of the {len(train)} training samples is "
            f"{train.flat[0]!s}, so there is nothing to learn from"
        )
    if data.is_image or data.X.dtype == np.uint8 or job.keep_constant:
        return  # pixels at an image's border often never change
    # A category that only validation or test samples have is no fault of the data.
    rare = {
        f"{column['name']}={value}"
        for column in data.encoding.get("columns", ())
        if column["kind"] == "category" and len(column["categories"]) > 1
        for value in column["categories"]
    }
    same = constant_columns(replace(data, X=train, y=None, row_names=None))
    constant = [name for name in same if name not in rare]
    if constant:
        raise DataError(
            f"{data.source}: these columns hold a single value in training samples: "
            f"{join_names(constant, 10)}",
            remedy=[
                "remove them, or keep them, scaled to zero, with ",
                Argument("keep_constant", True),
            ],
        )


def _fingerprint(data: Dataset) -> str:
    digest = hashlib.sha256(repr((data.X.shape, data.X.dtype.str, data.classes)).encode())
    if data.properties:
        digest.update(repr(data.properties).encode())
    for array in (data.X, data.y, data.X_test, data.y_test):
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
