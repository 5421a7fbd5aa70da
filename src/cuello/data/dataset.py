"""The one record that every reader returns: examples, labels if there are any, and where from."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.errors import DataError

__all__ = [
    "TASKS",
    "UNLABELLED",
    "Dataset",
    "check_finite",
    "constant_columns",
    "keep_labels",
    "labelled_rows",
]

TASKS = ("auto", "binary", "multiclass", "regression", "multilabel")
"""How labels can be read; ``auto``: as what they leave no doubt of."""

UNLABELLED = -1
"""Label code of a row whose class is not known (scikit-learn's semi-supervised convention)."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Examples with, where known, their labels.

    Parameters
    ----------
    X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
        The examples. Images keep their stored type (``uint8`` in 0..255); tables are ``float32``
        and may hold NaN where a cell was empty (see :meth:`filled`).
    y : ndarray or None
        Labels, by :attr:`task`. Multiclass: (n,), int64, codes into ``classes``, ``UNLABELLED``
        (-1) for a sample without a label. Regression: (n,), float64, NaN without a label.
        Multilabel: (n, properties), float64 of 0 and 1, a row of NaN without a label. None: there
        are no labels at all.
    classes : tuple of str
        Names of the classes; ``y == i`` means ``classes[i]``.
    properties : tuple of str
        Names of the properties, one a column of ``y``.
    name : str
        Short name, used for titles and folders.
    source : str
        Where it came from: a path, or an address.
    X_test, y_test : ndarray or None
        The official test part, where the set has one.
    row_names : tuple of str or None
        One name a row of ``X`` (file names for a folder of images).
    encoding : dict
        How files became numbers, as JSON: enough to read further files the same way
        (image size and mode; a table's columns, categories and fill values).
    notes : tuple of str
        What was handled while reading and should be said: skipped files, empty cells.
    """

    X: npt.NDArray[Any]
    y: npt.NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    name: str
    source: str
    X_test: npt.NDArray[Any] | None = None
    y_test: npt.NDArray[Any] | None = None
    row_names: tuple[str, ...] | None = None
    encoding: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.X)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example: (features,), (height, width) or (channels, height, width)."""
        return tuple(self.X.shape[1:])

    @property
    def is_image(self) -> bool:
        """Whether an example has a height and a width."""
        return self.X.ndim > 2

    @property
    def task(self) -> str:
        """Task of the labels: ``multiclass`` (also without labels), multilabel or regression."""
        y = self.y_test if self.y is None else self.y
        if y is None or y.dtype.kind != "f":
            return "multiclass"
        return "regression" if y.ndim == 1 else "multilabel"

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """Which rows of ``X`` have a label, (n,)."""
        return np.zeros(len(self), dtype=bool) if self.y is None else labelled_rows(self.y)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a table, one a feature (``colour=red``); empty otherwise."""
        return tuple(
            name
            for column in self.encoding.get("columns", ())
            for name in (
                [f"{column['name']}={value}" for value in column["categories"]]
                if column["kind"] == "category"
                else [column["name"]]
            )
        )

    def filled(self, rows: npt.ArrayLike | None = None) -> Dataset:
        """Replace empty cells (NaN) by the median of their column.

        The medians are kept in ``encoding`` for every column of numbers or dates, also those
        without an empty cell here, so that a file read later with that encoding is filled too.

        Parameters
        ----------
        rows : array-like of int or bool, optional
            The training rows, over which the medians are taken. Default: all rows.

        Returns
        -------
        Dataset
            The dataset itself if there is nothing to fill or to keep.

        Raises
        ------
        DataError
            If a column that needs a value is empty in all of those rows.

        Examples
        --------
        >>> X = np.array([[1, 5], [np.nan, 6], [3, 9]], dtype=np.float32)
        >>> Dataset(X=X, name="demo", source="memory").filled().X[1].tolist()
        [2.0, 6.0]
        """
        if self.X.ndim != 2 or self.X.dtype.kind != "f":
            return self
        holes = _count_nan(self.X)
        holes_test = None if self.X_test is None else _count_nan(self.X_test)
        needed = holes > 0 if holes_test is None else (holes > 0) | (holes_test > 0)
        if not needed.any() and not self.columns:
            return self
        fill = _medians(self.X if rows is None else self.X[np.asarray(rows)])
        self._check_fill(fill, needed)
        note = f"{int(holes.sum())} empty cells were filled with the median of their column"
        return replace(
            self,
            X=_fill(self.X, fill),
            X_test=None if self.X_test is None else _fill(self.X_test, fill),
            encoding=_with_fill(self.encoding, fill),
            notes=(*self.notes, note) if holes.any() else self.notes,
        )

    def _check_fill(self, fill: npt.NDArray[np.float32], needed: npt.NDArray[np.bool_]) -> None:
        empty = np.flatnonzero(np.isnan(fill) & needed)
        if len(empty):
            named = [repr(self.columns[i]) if self.columns else str(i) for i in empty[:5]]
            raise DataError(
                f"{self.source}: column {', '.join(named)}{' and more' * (len(empty) > 5)} is "
                "empty in every training row, so there is no median to fill in; drop that column."
            )


def labelled_rows(y: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Say which rows have a label, (n,), whatever labels say (see :class:`Dataset`).

    Examples
    --------
    >>> labelled_rows(np.array([0, -1])), labelled_rows(np.array([2.5, np.nan]))
    (array([ True, False]), array([ True, False]))
    """
    if y.dtype.kind != "f":
        return np.asarray(y != UNLABELLED)
    empty = np.isnan(y)
    return np.asarray(~(empty if y.ndim == 1 else empty.any(axis=1)))


def keep_labels(y: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Return labels with all but the known rows unlabelled.

    Examples
    --------
    >>> keep_labels(np.array([1, 0]), np.array([False, True]))
    array([-1,  0])
    """
    shown = known.reshape(-1, *[1] * (y.ndim - 1))
    return np.where(shown, y, np.nan if y.dtype.kind == "f" else UNLABELLED)


def check_finite(X: npt.NDArray[Any], where: str, *, allow_nan: bool = False) -> None:
    """Refuse NaN (unless allowed) and infinite values, naming the first row that has one.

    Works through the rows in blocks, so that a memory map larger than memory can be checked.

    Raises
    ------
    DataError
        If a value is not finite.
    """
    if X.dtype.kind != "f":
        return
    found, first = 0, -1
    for start, block in _blocks(X):
        bad = np.isinf(block) if allow_nan else ~np.isfinite(block)
        if bad.any():
            rows = np.flatnonzero(bad.reshape(len(block), -1).any(axis=1))
            found += len(rows)
            first = first if first >= 0 else start + int(rows[0])
    if found:
        what = "infinite values" if allow_nan else "NaN or infinite values"
        raise DataError(
            f"{where}: {found} of {len(X)} rows hold {what}, the first is row "
            f"{first}; remove those rows or fill the values in first."
        )


def constant_columns(data: Dataset | npt.NDArray[Any]) -> list[str] | list[int]:
    """Find the features that have the same value in every row, so carry nothing.

    Parameters
    ----------
    data : Dataset or ndarray of shape (n, ...)
        Images are looked at pixel by pixel, in C order.

    Returns
    -------
    list of str or list of int
        Column names for a table that has them, else positions among the features.

    Examples
    --------
    >>> constant_columns(np.array([[1, 2, 5], [1, 3, 5]]))
    [0, 2]
    """
    X = data.X if isinstance(data, Dataset) else data
    first = X[:1].reshape(1, -1)
    same = np.ones(first.shape[1], dtype=bool)
    for _, block in _blocks(X):
        rows = block.reshape(len(block), -1)
        equal = rows == first
        if X.dtype.kind == "f":
            equal |= np.isnan(rows) & np.isnan(first)
        same &= equal.all(axis=0)
    found: list[int] = np.flatnonzero(same).tolist()
    names = data.columns if isinstance(data, Dataset) else ()
    return [names[i] for i in found] if names else found


def _blocks(X: npt.NDArray[Any]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    step = max(1, 2**24 // max(1, X[:1].size))
    for start in range(0, len(X), step):
        yield start, X[start : start + step]


def _count_nan(X: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    counts = np.zeros(X.shape[1], dtype=np.int64)
    for _, block in _blocks(X):
        counts += np.isnan(block).sum(axis=0)
    return counts


def _medians(X: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    fill = np.full(X.shape[1], np.nan, dtype=np.float32)
    for j in range(X.shape[1]):
        known = X[:, j][~np.isnan(X[:, j])]
        if len(known):
            fill[j] = np.median(known)
    return fill


def _fill(X: npt.NDArray[Any], fill: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    holes = np.isnan(X)
    return np.where(holes, fill, X).astype(X.dtype, copy=False) if holes.any() else X


def _with_fill(encoding: dict[str, Any], fill: npt.NDArray[np.float32]) -> dict[str, Any]:
    changed = copy.deepcopy(encoding)
    position = 0
    for column in changed.get("columns", ()):
        if column["kind"] != "category" and not np.isnan(fill[position]):
            column["fill"] = float(fill[position])
        position += len(column["categories"]) if column["kind"] == "category" else 1
    return changed
