"""Rows in a plane: the map of a run's codes, and how much it keeps of them, beside PCA.

A code of one or two latents is its own place.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cuello.data import Dataset
from cuello.errors import CuelloWarning, DivergedError
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca, flat
from cuello.estimators.projection import FEWEST_SAMPLES, FLAT, fit_projector
from cuello.metrics import ProjectionQuality, projection_quality
from cuello.run.rows import all_rows, write_rows

if TYPE_CHECKING:
    from cuello.run.opened import Run

__all__ = ["Mapped", "learn_projector", "measure_projection", "place", "reduce"]

Array = npt.NDArray[Any]

_MEASURED = 2000  # rows: every distance between two is computed


class Mapped(NamedTuple):
    """What came of writing a map."""

    rows: int
    measured: int
    """How many rows, evenly spaced, it was measured on."""
    quality: dict[str, ProjectionQuality]
    """Of each way to place rows; empty where rows are too few."""


def learn_projector(autoencoder: Autoencoder, train: Array, seed: int) -> Autoencoder | None:
    """Fit a map to the codes of training rows; None where it needs none, or has too few rows."""
    if autoencoder.latent_dim_ <= FLAT or len(train) < FEWEST_SAMPLES:
        return None
    try:
        return fit_projector(
            Autoencoder, autoencoder.transform(train), seed, device=autoencoder.device
        )
    except DivergedError as error:  # a run is worth more than its map
        warnings.warn(f"The run keeps no map of its codes: {error}", CuelloWarning, stacklevel=2)
        return None


def place(codes: Array, projector: Autoencoder | None) -> Array:
    """Return the places of codes (n, latents): (n, 2), or (n, 1) of one latent."""
    return codes if projector is None else projector.transform(codes)


def measure_projection(
    autoencoder: Autoencoder, places: Array, rows: Array, classes: Array | None, *, seed: int
) -> tuple[int, dict[str, ProjectionQuality]]:
    """Measure places of rows beside those of PCA, which is fitted to the same rows.

    Parameters
    ----------
    autoencoder : Autoencoder
        Scales the rows.
    places : ndarray of shape (n, 1) or (n, 2)
    rows : ndarray of shape (n, ...)
    classes : ndarray of shape (n,) or None
        Codes of classes, -1 where unknown.
    seed : int
        Of the PCA.

    Returns
    -------
    count : int
        How many rows were measured.
    quality : dict of ProjectionQuality
        By way; empty where rows are too few.
    """
    some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MEASURED)).astype(np.int64))
    table = flat(autoencoder.scaling_.apply(rows[some]))
    y = None if classes is None else classes[some]
    ours = projection_quality(table, places[some], y)
    if ours is None:
        return len(some), {}
    name = "map of the codes" if autoencoder.latent_dim_ > FLAT else "codes"
    found = {name: ours}
    pca = fit_pca(table, places.shape[1], seed)
    theirs = projection_quality(table, pca.transform(table), y)
    assert theirs is not None
    return len(some), found | {"PCA": theirs}


def reduce(run: Run, data: Dataset, out: Path, *, seed: int = 0) -> Mapped:
    """Write the place of every row to CSV, and measure the map.

    Columns: ``row``, ``name`` (where rows have one), ``x`` and ``y`` (of one latent ``x`` alone),
    and ``label``, where the data has one. A run of before there were maps gets one that is fitted
    to the codes of these rows.

    Parameters
    ----------
    run : Run
        Whose map it is.
    data : Dataset
        Rows of ``X``, then of ``X_test``.
    out : Path
        The file to write.
    seed : int
        Of a map that is fitted here, and of the PCA beside it.

    Raises
    ------
    InputError
        If the run has no map, and the rows are too few to fit one.
    """
    rows = all_rows(data)
    codes = run.autoencoder.transform(rows)
    projector = run.projector
    if projector is None and codes.shape[1] > FLAT:
        projector = fit_projector(Autoencoder, codes, seed, device=run.autoencoder.device)
    places = place(codes, projector)
    labels = _labels(data)
    head = [*("x", "y")[: places.shape[1]], *(["label"] if labels else [])]
    cells: list[list[Any]] = [[f"{value:.6g}" for value in row] for row in places]
    if labels:
        cells = [[*row, label] for row, label in zip(cells, labels, strict=True)]
    write_rows(out, data, head, cells)
    return Mapped(
        len(rows), *measure_projection(run.autoencoder, places, rows, _classes(data), seed=seed)
    )


def _classes(data: Dataset) -> Array | None:
    """Return the class of each row, -1 where unknown; None where labels are no classes."""
    if data.y is None or not data.classes:
        return None
    if data.X_test is None:
        return data.y
    tested = np.full(len(data.X_test), -1) if data.y_test is None else data.y_test
    return np.concatenate([data.y, tested])


def _labels(data: Dataset) -> list[str]:
    """Return the class of each row by name; nothing where labels are no classes."""
    codes = _classes(data)
    return [] if codes is None else [data.classes[k] if k >= 0 else "" for k in codes]
