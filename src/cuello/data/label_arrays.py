"""Labels as stored (names, numbers, with gaps) become class codes, numbers, or 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cuello.arrays import Array, Bools, Codes, Floats
from cuello.data.dataset import UNLABELLED, Dataset
from cuello.errors import DataError, Use

__all__ = [
    "MOST_CLASSES",
    "are_amounts",
    "as_properties",
    "is_integral",
    "note_task",
    "with_label_arrays",
]

MOST_CLASSES = 50
"""Different values, above which numbers that are not whole can only be amounts."""
ROWS_A_CLASS = 3
"""Labels of each value, below which they can only be amounts: none could be held out."""
BROKEN_SHARE = 0.1
"""Share of numbers that are not whole, from which they are no typing errors."""


def with_label_arrays(
    data: Dataset, y: Array | None, y_test: Array | None = None, *, source: str, task: str | None
) -> Dataset:
    """Return data with the labels of the training and the test split, read for a task.

    They are names, numbers, or 0 and 1 (n, properties). ``auto`` is regression where numbers can be
    no classes (see :func:`are_amounts`), else multiclass; None reads no labels.
    """
    arrays = {key: a for key, a in (("y", y), ("y_test", y_test)) if a is not None}
    if task is None or not arrays:
        return data
    sizes = {"y": len(data), "y_test": 0 if data.X_test is None else len(data.X_test)}
    stored = [(a, sizes[key], f"{source}: {key}") for key, a in arrays.items()]
    fields: dict[str, Any] = {}
    labels: Sequence[Array | None]
    note = ""
    if task == "multilabel":
        first = stored[0][0]
        names = tuple(str(i) for i in range(first.shape[1] if first.ndim == 2 else 1))
        labels = [as_properties(*split, names) for split in stored]
        fields["properties"] = names
    elif task == "regression" or (task == "auto" and _all_amounts(list(arrays.values()))):
        labels = [_as_numbers(*split) for split in stored]
        note = note_task(source, "regression", "labels are amounts, no classes")
    else:
        labels, classes = _as_codes(stored, source)
        fields["classes"] = classes
        if _many_whole_numbers(list(arrays.values())):
            note = (
                f"{source}: {len(classes)} different whole numbers were read as classes; if they "
                "are amounts, the task is 'regression'"
            )
    fields |= dict(zip(arrays, labels, strict=True))
    notes = (note,) if note and task == "auto" else ()
    return replace(data, notes=(*data.notes, *notes), **fields)


def note_task(source: object, task: str, why: str) -> str:
    """Return a note on the task that was chosen."""
    return f"{source}: {why}: the task is {task!r}"


def are_amounts(values: Array) -> bool:
    """Check whether numbers can only be amounts, not names of classes; NaN does not count.

    One in ten or more is not whole (one in many may be a typing error), and there are more than
    :data:`MOST_CLASSES` different ones, or fewer than :data:`ROWS_A_CLASS` labels for each of them.
    """
    values = values[~np.isnan(values)]
    distinct = len(np.unique(values))
    many = distinct > MOST_CLASSES or distinct * ROWS_A_CLASS > len(values)
    return many and float((values != np.trunc(values)).mean()) >= BROKEN_SHARE


def _all_amounts(arrays: list[Array]) -> bool:
    floats = all(labels.ndim == 1 and labels.dtype.kind == "f" for labels in arrays)
    return floats and are_amounts(np.concatenate(arrays))


def _many_whole_numbers(arrays: list[Array]) -> bool:
    """Check whether labels are so many different whole numbers that they may be amounts."""
    if any(labels.ndim != 1 or labels.dtype.kind not in "iuf" for labels in arrays):
        return False
    values = np.concatenate(arrays).astype(np.float64)
    values = values[~np.isnan(values) & (values != UNLABELLED)]
    distinct = len(np.unique(values))
    return distinct > MOST_CLASSES and distinct * ROWS_A_CLASS > len(values)


def _as_codes(
    stored: Sequence[tuple[Array, int, str]], source: str
) -> tuple[list[Codes | None], tuple[str, ...]]:
    """Number the classes of all splits together, sorted; None for all where no sample has one."""
    splits = [_names_or_integers(*split) for split in stored]
    if len({values.dtype.kind for values, _ in splits}) > 1:
        raise DataError(
            f"y holds {splits[0][0].dtype} and y_test {splits[1][0].dtype}",
            value=source,
            remedy="use names or numbers in both",
        )
    distinct = np.unique(np.concatenate([values[labelled] for values, labelled in splits]))
    if not len(distinct):
        return [None] * len(splits), ()
    codes: list[Codes | None] = [
        np.where(labelled, np.searchsorted(distinct, values), UNLABELLED).astype(np.int64)
        for values, labelled in splits
    ]
    return codes, tuple(str(value) for value in distinct.tolist())


def _as_numbers(y: Array, n: int, source: str) -> Floats:
    """Check n numbers to predict; NaN and the empty string mean unlabelled."""
    _check_shape(y, n, source)
    values = np.full(n, np.nan)
    for row, cell in enumerate(y.tolist()):
        text = cell.decode() if isinstance(cell, bytes) else cell
        try:
            values[row] = np.nan if text == "" else float(text)
        except (TypeError, ValueError):
            raise DataError(
                f"holds {text!r} in row {row} (from 0), which is no number",
                value=source,
                remedy=("correct it, leave it empty, or ", Use("task", "multiclass")),
            ) from None
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise DataError(
            f"is infinite in row {infinite[0]} (from 0)",
            value=source,
            remedy="correct it, or leave it empty",
        )
    return values


def as_properties(y: Array, n: int, source: str, names: tuple[str, ...]) -> Floats:
    """Check properties, 0 and 1 in (n, properties); a row of NaN means unlabelled."""
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "biuf":
        raise DataError(
            f"has shape {y.shape} ({y.dtype}); several properties are 0 and 1 in two columns or "
            f"more: shape ({n}, properties)",
            value=source,
        )
    _check_label_count(y, n, source)
    if y.shape[1] != len(names):
        raise DataError(
            f"has {y.shape[1]} columns, not {len(names)}", value=source, remedy="save both alike"
        )
    values = y.astype(np.float64)
    empty = np.isnan(values)
    wrong = np.argwhere(~empty & ~np.isin(values, (0.0, 1.0)))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"property {names[column]!r} is {values[row, column]:g} in row {row} (from 0); a "
            "property is 0 or 1",
            value=source,
        )
    partly = np.flatnonzero(empty.any(axis=1) & ~empty.all(axis=1))
    if len(partly):
        lacking = names[int(empty[partly[0]].argmax())]
        raise DataError(
            f"property {lacking!r} is empty in row {partly[0]} (from 0; {len(partly)} such rows), "
            "and others are not",
            value=source,
            remedy="fill all properties of a row, or none",
        )
    return values


def is_integral(values: Array) -> bool:
    """Check whether all numbers but NaN are whole, so can name classes."""
    values = values[~np.isnan(values)]
    return bool(np.isfinite(values).all() and (values == np.trunc(values)).all())


def _names_or_integers(y: Array, n: int, source: str) -> tuple[Array, Bools]:
    """Return the labels of one split as str or int64, and the mask of the labelled samples."""
    _check_shape(y, n, source)
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8")
    if y.dtype.kind == "U":
        names = np.char.strip(y)
        return names, names != ""
    if y.dtype.kind not in "biuf":
        raise DataError(f"has dtype {y.dtype}; labels are text or whole numbers", value=source)
    numbers = y.astype(np.float64)
    if not is_integral(numbers):
        fraction = numbers[~np.isnan(numbers) & (numbers != np.trunc(numbers))][:1]
        raise DataError(
            f"looks like a number to predict, not a class (for example {fraction})",
            value=source,
            remedy=(Use("task", "regression"), " to learn numbers, or save class names"),
        )
    labelled = ~np.isnan(numbers) & (numbers != UNLABELLED)
    integers = y if y.dtype.kind in "iu" else np.where(labelled, numbers, 0)
    return integers.astype(np.int64), labelled


def _check_shape(y: Array, n: int, source: str) -> None:
    if y.ndim != 1:
        raise DataError(
            f"has shape {y.shape}, but labels are one value a sample: shape ({n},)",
            value=source,
            remedy=(
                "save y.ravel(), or y.argmax(axis=1) if it is one-hot; for several properties of "
                "0 and 1 ",
                Use("task", "multilabel"),
            ),
        )
    _check_label_count(y, n, source)


def _check_label_count(y: Array, n: int, source: str) -> None:
    if len(y) != n:
        raise DataError(
            f"has {len(y)} labels for {n} samples", value=source, remedy="save one label a sample"
        )
