"""Data with labelled anomalies: the ODDS tables, and images of one class against the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cuello.arrays import Array
from cuello.data.fetch import data_folders
from cuello.errors import DataError
from cuello_labs._images import images

__all__ = ["TABLES", "read_images_of", "read_table"]

TABLES = (
    *("cardio", "ionosphere", "letter", "mnist", "musk", "optdigits"),
    *("pendigits", "satellite", "satimage-2", "vowels", "wbc"),
)
"""Of the ODDS collection (Rayana 2016), as PyOD's benchmark uses them."""

_RARE = 0.1  # share of malignant rows that is kept of the bundled table


def read_table(name: str) -> tuple[Array, Array]:
    """Return samples (n, features), and which of them are anomalies (n,), 0 or 1.

    ``breast-cancer`` is scikit-learn's, with so few malignant rows that they are one in ten.

    Raises
    ------
    DataError
        If the table is in none of the data folders.
    """
    if name == "breast-cancer":
        return _breast_cancer()
    with np.load(_find(name), allow_pickle=False) as table:
        X: Array = table["X"].astype(np.float64)
        anomalous: Array = table["y"].ravel().astype(np.int64)
    return X, anomalous


def _find(name: str) -> Path:
    for folder in data_folders():
        path = folder / "odds" / f"{name}.npz"
        if path.is_file():
            return path
    raise DataError(
        f"the ODDS table {name!r} is not on this machine; put odds/{name}.npz, with arrays X and y "
        "(1 = anomaly), into a folder that CUELLO_DATA names."
    )


def _breast_cancer() -> tuple[Array, Array]:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    normal, rare = np.flatnonzero(data.target == 1), np.flatnonzero(data.target == 0)
    kept = np.concatenate([normal, rare[: round(_RARE * len(normal) / (1.0 - _RARE))]])
    return data.data[kept], 1 - data.target[kept]


def read_images_of(name: str, normal: int) -> tuple[Array, Array, Array]:
    """Return training images of one class, all test images, and which are of another class."""
    data = images(name)
    return data.X[data.y == normal], data.X_test, (data.y_test != normal).astype(np.int64)
