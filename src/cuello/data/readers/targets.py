"""Which task the labels of a file are for, and so as what they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cuello.arrays import Array
from cuello.data.dataset import UNLABELLED
from cuello.data.readers.label_values import as_codes, as_numbers, as_properties

__all__ = ["MOST_CLASSES", "LabelArrays", "are_amounts", "note_task", "read_labels"]

MOST_CLASSES = 50
"""Different values, above which numbers that are not whole can only be amounts."""
ROWS_A_CLASS = 3
"""Rows of each value, below which they can only be amounts: none could be held out."""
BROKEN_SHARE = 0.1
"""Share of numbers that are not whole, from which they are no typing errors."""


@dataclass(frozen=True, kw_only=True)
class LabelArrays:
    """Labels of the training and the test split as arrays; see :class:`cuello.data.Dataset`."""

    y: Array | None = None
    y_test: Array | None = None
    classes: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_labels(
    y: Array | None,
    y_test: Array | None = None,
    *,
    sizes: tuple[int, int],
    source: str,
    task: str | None = "auto",
) -> LabelArrays:
    """Read the labels of the training and the test split for a task.

    Parameters
    ----------
    y, y_test : ndarray or None
        Names, numbers, or for ``multilabel`` 0 and 1, (n, properties).
    sizes : (int, int)
        How many samples the two splits have.
    source : str
        File, for the errors.
    task : str or None
        One of :data:`cuello.data.dataset.TASK_NAMES`. ``auto``: regression where numbers can be no
        classes (see :func:`are_amounts`), multiclass otherwise. None: labels are not read.

    Examples
    --------
    >>> labels = read_labels(np.array([2.5, 0.25]), sizes=(2, 0), source="a.npz")
    >>> labels.y, labels.notes[0]
    (array([2.5 , 0.25]), "a.npz: labels are amounts, no classes: the task is 'regression'")
    """
    arrays = [labels for labels in (y, y_test) if labels is not None]
    if task is None or not arrays:
        return LabelArrays()

    def each(check: Callable[..., Array], *more: Any) -> list[Array | None]:
        return [
            None if labels is None else check(labels, n, f"{source}: {key}", *more)
            for labels, n, key in ((y, sizes[0], "y"), (y_test, sizes[1], "y_test"))
        ]

    if task == "multilabel":
        width = arrays[0].shape[1] if arrays[0].ndim == 2 else 1
        names = tuple(str(i) for i in range(width))
        tables = each(as_properties, names)
        return LabelArrays(y=tables[0], y_test=tables[1], properties=names)
    amounts = all(labels.ndim == 1 and labels.dtype.kind == "f" for labels in arrays)
    amounts = amounts and are_amounts(np.concatenate(arrays))
    if task == "regression" or (task == "auto" and amounts):
        values = each(as_numbers)
        note = note_task(source, "regression", "labels are amounts, no classes")
        return LabelArrays(
            y=values[0], y_test=values[1], notes=() if task == "regression" else (note,)
        )
    codes, codes_test, classes = as_codes(y, y_test, sizes=sizes, source=source)
    notes = (
        (
            f"{source}: {len(classes)} different whole numbers were read as classes; if they are "
            "amounts, the task is 'regression'",
        )
        if task == "auto" and _many_whole_numbers(arrays)
        else ()
    )
    return LabelArrays(y=codes, y_test=codes_test, classes=classes, notes=notes)


def note_task(source: object, task: str, why: str) -> str:
    """Return a note on the task that was chosen."""
    return f"{source}: {why}: the task is {task!r}"


def are_amounts(values: Array) -> bool:
    """Whether numbers can only be amounts, not names of classes; NaN does not count.

    One in ten or more is not whole (one in many may be a typing error), and there are more than
    :data:`MOST_CLASSES` different ones, or fewer than :data:`ROWS_A_CLASS` rows for each of them.

    Examples
    --------
    >>> are_amounts(np.array([9.5, 7.25, 8.0])), are_amounts(np.repeat([1.5, 2.0], 9))
    (True, False)
    """
    values = values[~np.isnan(values)]
    distinct = len(np.unique(values))
    many = distinct > MOST_CLASSES or distinct * ROWS_A_CLASS > len(values)
    return many and float((values != np.trunc(values)).mean()) >= BROKEN_SHARE


def _many_whole_numbers(arrays: list[Array]) -> bool:
    """Whether labels are whole numbers, and so many different ones that they may be amounts."""
    if any(labels.ndim != 1 or labels.dtype.kind not in "iuf" for labels in arrays):
        return False
    values = np.concatenate(arrays).astype(np.float64)
    values = values[~np.isnan(values) & (values != UNLABELLED)]
    distinct = len(np.unique(values))
    return distinct > MOST_CLASSES and distinct * ROWS_A_CLASS > len(values)
