"""Pictures of 7x5 characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from cuello.arrays import Array

__all__ = ["picture_table"]


def picture_table(
    axes: Axes,
    images: Array,
    columns: Sequence[str],
    rows: Sequence[str],
    *,
    x: str = "",
    y: str = "",
) -> None:
    """Draw characters as a table with named columns and rows.

    Parameters
    ----------
    images : ndarray of shape (len(rows) * len(columns), 35)
        -1/+1, dark where high; row by row from the top.
    columns, rows : sequence of str
        Written below each column, and left of each row.
    x, y : str
        Labels of the axes: the meaning of columns and rows.
    """
    height, width = 8, 6  # a pixel of gap
    sheet = np.full((len(rows) * height - 1, len(columns) * width - 1), np.nan)
    for index, image in enumerate(images):
        top, left = index // len(columns) * height, index % len(columns) * width
        sheet[top : top + 7, left : left + 5] = image.reshape(7, 5)
    axes.imshow(sheet, cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set_xticks(np.arange(len(columns)) * width + 2, columns, parse_math=False)
    axes.set_yticks(np.arange(len(rows)) * height + 3, rows, parse_math=False)
    axes.set_facecolor("#c8d4e0")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.set(xlabel=x, ylabel=y)
