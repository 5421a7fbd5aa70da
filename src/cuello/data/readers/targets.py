"""What the labels of a file say, and so as what they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import UNLABELLED
from cuello.data.readers.label_values import as_codes, as_numbers, as_properties

__all__ = ["Labels", "are_amounts", "read_labels"]

Array = npt.NDArray[Any]

MOST_CLASSES = 50
"""Different values, above which numbers that are not whole can only be amounts."""
ROWS_A_CLASS = 3
"""Rows of each value, below which they can only be amounts: none could be held out."""
BROKEN_SHARE = 0.1
"""Share of numbers that are not whole, from which they are no typing errors."""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What the labels of a training and a test part came to; see :class:`cuello.data.Dataset`."""

    y: Array | None = None
    y_test: Array | None = None
    classes: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_labels(
    y: Array | None,
    y_test: Array | None = None,
    *,
    rows: tuple[int, int],
    where: str,
    task: str | None = "auto",
) -> Labels:
    """Read the labels of a training and a test part as a task wants them.

    Parameters
    ----------
    y, y_test : ndarray or None
        Names, numbers, or for ``multilabel`` 0 and 1, (n, properties).
    rows : (int, int)
        How many examples the two parts have.
    where : str
        File, for the errors.
    task : str or None
        One of :data:`cuello.data.dataset.TASKS`. ``auto``: numbers where they can be no classes
        (see :func:`are_amounts`), classes otherwise. None: labels are not read.

    Examples
    --------
    >>> found = read_labels(np.array([2.5, 0.25]), rows=(2, 0), where="a.npz")
    >>> found.y, found.notes[0]
    (array([2.5 , 0.25]), "a.npz: labels are amounts...")
    """
    parts = [part for part in (y, y_test) if part is not None]
    if task is None or not parts:
        return Labels()
    if task == "multilabel":
        width = parts[0].shape[1] if parts[0].ndim == 2 else 1
        names = tuple(str(i) for i in range(width))
        tables = _each(as_properties, y, y_test, rows, where, names)
        return Labels(y=tables[0], y_test=tables[1], properties=names)
    amounts = all(part.ndim == 1 and part.dtype.kind == "f" for part in parts) and are_amounts(
        np.concatenate(parts)
    )
    if task == "regression" or (task == "auto" and amounts):
        values = _each(as_numbers, y, y_test, rows, where)
        said = f"{where}: labels are amounts, no classes: the task is 'regression' (--task)"
        return Labels(y=values[0], y_test=values[1], notes=() if task == "regression" else (said,))
    codes, codes_test, classes = as_codes(y, y_test, rows=rows, where=where)
    notes = () if task != "auto" or not _many_whole(parts) else (_many(where, len(classes)),)
    return Labels(y=codes, y_test=codes_test, classes=classes, notes=notes)


def are_amounts(values: Array) -> bool:
    """Whether numbers can only be amounts, not names of classes.

    One in ten or more is not whole (one in many may be a typing error), and there are more than
    :data:`MOST_CLASSES` different ones, or fewer than :data:`ROWS_A_CLASS` rows for each of them.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        NaN does not count.

    Examples
    --------
    >>> are_amounts(np.array([9.5, 7.25, 8.0])), are_amounts(np.repeat([1.5, 2.0], 9))
    (True, False)
    """
    known = values[~np.isnan(values)]
    different = len(np.unique(known))
    many = different > MOST_CLASSES or different * ROWS_A_CLASS > len(known)
    return many and float((known != np.trunc(known)).mean()) >= BROKEN_SHARE


def _many_whole(parts: list[Array]) -> bool:
    """Whether labels are whole numbers, and so many different ones that they may be amounts."""
    if any(part.ndim != 1 or part.dtype.kind not in "iuf" for part in parts):
        return False
    values = np.concatenate(parts).astype(np.float64)
    known = values[~np.isnan(values) & (values != UNLABELLED)]
    different = len(np.unique(known))
    return different > MOST_CLASSES and different * ROWS_A_CLASS > len(known)


def _many(where: str, different: int) -> str:
    return (
        f"{where}: {different} different whole numbers were read as classes; if they are amounts, "
        "give task='regression' (--task regression)"
    )


def _each(
    check: Any, y: Array | None, y_test: Array | None, rows: tuple[int, int], where: str, *more: Any
) -> list[Array | None]:
    return [
        None if part is None else check(part, n, f"{where}: {key}", *more)
        for part, n, key in ((y, rows[0], "y"), (y_test, rows[1], "y_test"))
    ]
