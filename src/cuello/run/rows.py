"""All rows of a data set, and lines of a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from cuello import atomic
from cuello.arrays import Array
from cuello.data import Dataset

__all__ = ["all_rows", "write_csv", "write_rows"]


def all_rows(data: Dataset) -> Array:
    """Return the rows of ``data.X``, then those of the official test part, if there is one."""
    return data.X if data.X_test is None else np.concatenate([data.X, data.X_test])


def write_csv(out: Path, lines: list[list[Any]]) -> None:
    """Write lines of cells, whole or not at all."""

    def fill(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as f:
            csv.writer(f).writerows(lines)

    atomic.write(out, fill)


def write_rows(out: Path, data: Dataset, head: list[str], cells: list[list[Any]]) -> None:
    """Write a line for each row of :func:`all_rows`: its number, its name if it has one, cells."""
    names = data.row_names if data.row_names and len(data.row_names) == len(cells) else None
    lines = [[i, *([names[i]] if names else []), *row] for i, row in enumerate(cells)]
    write_csv(out, [["row", *(["name"] if names else []), *head], *lines])
