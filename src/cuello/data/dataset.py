"""The one record that every reader returns: examples, labels if there are any, and where from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.errors import DataError

__all__ = ["UNLABELLED", "Dataset", "check_finite"]

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
    y : ndarray of shape (n,), int64, or None
        Codes into ``classes``; ``UNLABELLED`` (-1) where a row has no label. None: no labels at all.
    classes : tuple of str
        Names of the classes; ``y == i`` means ``classes[i]``.
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
    y: npt.NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    name: str
    source: str
    X_test: npt.NDArray[Any] | None = None
    y_test: npt.NDArray[np.int64] | None = None
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


def check_finite(X: npt.NDArray[Any], where: str, *, allow_nan: bool = False) -> None:
    """Refuse NaN (unless allowed) and infinite values, naming the first row that has one.

    Raises
    ------
    DataError
        If a value is not finite.
    """
    if X.dtype.kind != "f":
        return
    # The sum is NaN or infinite if any value is: one pass and no array of flags for clean data.
    if not allow_nan and np.isfinite(X.sum(dtype=np.float64)):
        return
    bad = np.isinf(X) if allow_nan else ~np.isfinite(X)
    if not bad.any():
        return
    rows = np.flatnonzero(bad.reshape(len(X), -1).any(axis=1))
    raise DataError(
        f"{where}: {len(rows)} of {len(X)} rows hold NaN or infinite values, the first is row "
        f"{rows[0]}; remove those rows or fill the values in first."
    )
