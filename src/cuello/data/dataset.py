"""The one record that every reader returns: samples, labels if there are any, and their source."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.arrays import Array, Bools
from cuello.errors import DataError

__all__ = [
    "TASK_NAMES",
    "UNLABELLED",
    "Dataset",
    "check_finite",
    "constant_columns",
    "feature_blocks",
    "keep_labels",
    "labelled_rows",
]

TASK_NAMES = ("auto", "binary", "multiclass", "regression", "multilabel")
"""Tasks that labels can be read for; ``auto``: the one that they leave no doubt of."""

UNLABELLED = -1
"""Code of a sample without a label (scikit-learn's semi-supervised convention)."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Samples with their labels, if they have any.

    Parameters
    ----------
    X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
        The samples. Images keep their stored type (``uint8`` in 0..255); tables are ``float32``,
        or ``float64`` where that would drop digits (a time stamp), and may hold NaN where a cell
        was empty (see :meth:`filled`).
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
        A path, or an address.
    X_test, y_test : ndarray or None
        The official test split, where the set has one.
    row_names : tuple of str or None
        One name a sample of ``X`` (file names for a folder of images).
    encoding : dict
        How files became numbers, as JSON, enough to read further files the same way
        (image size and mode; a table's columns, categories and fill values).
    notes : tuple of str
        Messages of the reader: skipped files, empty cells.
    """

    X: Array
    y: Array | None = None
    classes: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    name: str
    source: str
    X_test: Array | None = None
    y_test: Array | None = None
    row_names: tuple[str, ...] | None = None
    encoding: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.X)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (features,), (height, width) or (channels, height, width)."""
        return tuple(self.X.shape[1:])

    @property
    def is_image(self) -> bool:
        """Whether a sample has a height and a width."""
        return self.X.ndim > 2

    @property
    def task(self) -> str:
        """Task of the labels: ``multiclass`` (also without labels), multilabel or regression."""
        y = self.y_test if self.y is None else self.y
        if y is None or y.dtype.kind != "f":
            return "multiclass"
        return "regression" if y.ndim == 1 else "multilabel"

    @property
    def labelled(self) -> Bools:
        """Mask of the samples of ``X`` that have a label, (n,)."""
        return np.zeros(len(self), dtype=bool) if self.y is None else labelled_rows(self.y)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the features of a table, ``colour=red`` for a category; empty otherwise."""
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
            The training samples, over which the medians are taken. Default: all samples.

        Returns
        -------
        Dataset
            The dataset itself if there is nothing to fill or to keep.

        Raises
        ------
        DataError
            If a column that needs a value is empty in all of those samples.

        Examples
        --------
        >>> X = np.array([[1, 5], [np.nan, 6], [3, 9]], dtype=np.float32)
        >>> Dataset(X=X, name="demo", source="memory").filled().X[1].tolist()
        [2.0, 6.0]
        """
        if self.X.ndim != 2 or self.X.dtype.kind != "f":
            return self
        empty = _count_nan(self.X)
        needed = (empty if self.X_test is None else empty + _count_nan(self.X_test)) > 0
        if not needed.any() and not self.columns:
            return self
        train = self.X if rows is None else self.X[np.asarray(rows)]
        present = (column[~np.isnan(column)] for column in train.T)
        medians = [np.median(v) if len(v) else np.nan for v in present]
        fill = np.array(medians, dtype=self.X.dtype)
        without = np.flatnonzero(np.isnan(fill) & needed)
        if len(without):
            named = [repr(self.columns[i]) if self.columns else str(i) for i in without[:5]]
            raise DataError(
                f"column {', '.join(named)}{' and more' * (len(without) > 5)} is empty in every "
                "training sample, so there is no median to fill in",
                value=self.source,
                remedy="drop that column",
            )
        encoding = copy.deepcopy(self.encoding)
        for column, block in feature_blocks(encoding):
            if column["kind"] != "category" and not np.isnan(fill[block.start]):
                column["fill"] = float(fill[block.start])
        note = f"{int(empty.sum())} empty cells were filled with the median of their column"
        return replace(
            self,
            X=_filled(self.X, fill),
            X_test=None if self.X_test is None else _filled(self.X_test, fill),
            encoding=encoding,
            notes=(*self.notes, note) if empty.any() else self.notes,
        )


def feature_blocks(encoding: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], slice]]:
    """Yield the description of each column of a table, and the slice of its features."""
    start = 0
    for column in encoding.get("columns", ()):
        width = len(column["categories"]) if column["kind"] == "category" else 1
        yield column, slice(start, start + width)
        start += width


def labelled_rows(y: Array) -> Bools:
    """Return the mask of the samples with a label, (n,), for any task (see :class:`Dataset`)."""
    if y.dtype.kind != "f":
        return np.asarray(y != UNLABELLED)
    empty = np.isnan(y)
    return np.asarray(~(empty if y.ndim == 1 else empty.any(axis=1)))


def keep_labels(y: Array, kept: Bools) -> Array:
    """Return labels with all other samples unlabelled."""
    kept = kept.reshape(-1, *[1] * (y.ndim - 1))
    return np.where(kept, y, np.nan if y.dtype.kind == "f" else UNLABELLED)


def check_finite(X: Array, source: str, *, allow_nan: bool = False) -> None:
    """Refuse NaN (unless allowed) and infinite values, naming the first sample that has one.

    Works through the samples in blocks, so that a memory map larger than memory can be checked.
    """
    if X.dtype.kind != "f":
        return
    elements = (np.isinf(b) if allow_nan else ~np.isfinite(b) for b in _blocks(X))
    bad = np.concatenate([block.reshape(len(block), -1).any(axis=1) for block in elements])
    if bad.any():
        values = "infinite values" if allow_nan else "NaN or infinite values"
        raise DataError(
            f"{bad.sum()} of {len(X)} samples hold {values}, the first is row {bad.argmax()}",
            value=source,
            remedy="remove those samples or fill the values in first",
        )


def constant_columns(data: Dataset | Array) -> list[str] | list[int]:
    """Return the features that have the same value in every sample, so carry nothing.

    By name for a table whose columns have names, else by position; images (n, ...) are looked at
    pixel by pixel, in C order.

    Examples
    --------
    >>> constant_columns(np.array([[1, 2, 5], [1, 3, 5]]))
    [0, 2]
    """
    X = data.X if isinstance(data, Dataset) else data
    first = X[:1].reshape(1, -1)
    same = np.ones(first.shape[1], dtype=bool)
    for block in _blocks(X):
        rows = block.reshape(len(block), -1)
        equal = rows == first
        if X.dtype.kind == "f":
            equal |= np.isnan(rows) & np.isnan(first)
        same &= equal.all(axis=0)
    positions: list[int] = np.flatnonzero(same).tolist()
    names = data.columns if isinstance(data, Dataset) else ()
    return [names[i] for i in positions] if names else positions


def _blocks(X: Array) -> Iterator[Array]:
    step = max(1, 2**24 // max(1, X[:1].size))
    return (X[start : start + step] for start in range(0, len(X), step))


def _count_nan(X: Array) -> Array:
    return np.asarray(sum(np.isnan(block).sum(axis=0) for block in _blocks(X)))


def _filled(X: Array, fill: Array) -> Array:
    empty = np.isnan(X)
    return np.where(empty, fill, X).astype(X.dtype, copy=False) if empty.any() else X
