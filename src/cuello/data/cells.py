"""Cells of a table from its features: the inverse of reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from cuello.arrays import Array
from cuello.data.dataset import Dataset, feature_blocks

__all__ = ["as_cells", "format_number", "mark_missing", "without_fill"]

_START = datetime(1970, 1, 1, tzinfo=UTC)


def as_cells(X: Array, encoding: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns, and the cells of every row of X (n, features).

    The largest feature of a category is its value. Columns of an array, whose encoding is empty,
    are ``0``, ``1``, ...
    """
    if not encoding.get("columns"):
        return [str(k) for k in range(X.shape[1])], [[format_number(v) for v in row] for row in X]
    names, cells = [], []
    for column, block in feature_blocks(encoding):
        names.append(str(column["name"]))
        cells.append(_block_cells(X[:, block], column))
    return names, [list(row) for row in zip(*cells, strict=True)]


def without_fill(encoding: Mapping[str, Any]) -> dict[str, Any]:
    """Return an encoding by which empty cells of numbers and dates are read as NaN."""
    columns = [dict(column) | {"fill": None} for column in encoding.get("columns", ())]
    return dict(encoding) | ({"columns": columns} if columns else {})


def mark_missing(data: Dataset) -> Dataset:
    """Return a table with NaN in all features of a category whose cell was empty: all were 0."""
    X = np.array(data.X)
    for column, block in feature_blocks(data.encoding):
        if column["kind"] == "category":
            empty = (data.X[:, block] == 0.0).all(axis=1)
            X[empty, block] = np.nan
    return replace(data, X=X)


def format_number(value: float) -> str:
    """Return a number with the 7 digits that float32 holds, without an exponent."""
    return np.format_float_positional(value, 7, unique=False, fractional=False, trim="-")


def _block_cells(block: Array, column: Mapping[str, Any]) -> list[str]:
    if column["kind"] == "category":
        return [column["categories"][k] for k in block.argmax(axis=1)]
    if column["kind"] == "date":
        # Filled ones fall at any time of a day; a column of whole days stays one.
        seconds = 86_400.0 * np.asarray(block[:, 0], dtype=np.float64)
        whole = np.mean(seconds % 86_400.0 == 0.0) > 0.5
        step = 86_400 if whole else 1
        days = [_START + timedelta(seconds=step * round(float(s) / step)) for s in seconds]
        return [day.strftime("%Y-%m-%d" if whole else "%Y-%m-%dT%H:%M:%S") for day in days]
    return [format_number(value) for value in block[:, 0]]
