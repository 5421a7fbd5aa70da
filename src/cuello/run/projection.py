"""Projection of a run's embeddings to 2-D coordinates, and how much it keeps, beside PCA.

An embedding of one or two latents is shown as it is.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cuello.arrays import Array
from cuello.data import Dataset
from cuello.errors import CuelloWarning, DivergedError
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca, flat
from cuello.estimators.projection import FEWEST_SAMPLES, FLAT, fit_projector
from cuello.metrics import ProjectionQuality, projection_quality
from cuello.run.opened import Run
from cuello.run.rows import all_rows, write_rows

__all__ = [
    "Projected",
    "learn_projection",
    "measure_projection",
    "project_embeddings",
    "write_projection",
]

_MEASURED = 2000  # rows: every distance between two is computed


class Projected(NamedTuple):
    """Summary of a projection that was written."""

    rows: int
    measured: int
    """How many rows, evenly spaced, it was measured on."""
    quality: dict[str, ProjectionQuality]
    """By method; empty where rows are too few."""


def learn_projection(autoencoder: Autoencoder, train: Array, seed: int) -> Autoencoder | None:
    """Fit a projection to embeddings of training rows; None if not needed, or rows are few."""
    if autoencoder.latent_dim_ <= FLAT or len(train) < FEWEST_SAMPLES:
        return None
    try:
        embeddings = autoencoder.transform(train)
        return fit_projector(Autoencoder, embeddings, seed, device=autoencoder.device)
    except DivergedError as error:  # a run is worth more than its projection
        warnings.warn(
            f"The run keeps no projection of its embeddings: {error}", CuelloWarning, stacklevel=2
        )
        return None


def project_embeddings(embeddings: Array, projection: Autoencoder | None) -> Array:
    """Return coordinates of embeddings (n, latents): (n, 2), or (n, 1) of one latent."""
    return embeddings if projection is None else projection.transform(embeddings)


def measure_projection(
    autoencoder: Autoencoder, xy: Array, rows: Array, classes: Array | None, *, seed: int
) -> tuple[int, dict[str, ProjectionQuality]]:
    """Measure coordinates of rows beside those of PCA, which is fitted to the same rows.

    Parameters
    ----------
    autoencoder : Autoencoder
        Scales the rows.
    xy : ndarray of shape (n, 1) or (n, 2)
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
        By method; empty where rows are too few.
    """
    some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MEASURED)).astype(np.int64))
    table = flat(autoencoder.scaling_.apply(rows[some]))
    y = None if classes is None else classes[some]
    learned = projection_quality(table, xy[some], y)
    if learned is None:
        return len(some), {}
    name = "learned projection" if autoencoder.latent_dim_ > FLAT else "embedding"
    pca = fit_pca(table, xy.shape[1], seed)
    principal = projection_quality(table, pca.transform(table), y)
    assert principal is not None
    return len(some), {name: learned, "PCA": principal}


def write_projection(run: Run, data: Dataset, out: Path, *, seed: int = 0) -> Projected:
    """Write 2-D coordinates of every row to CSV, and measure how much they keep.

    Columns: ``row``, ``name`` (where rows have one), ``x`` and ``y`` (of one latent ``x`` alone),
    and ``label``, where the data has one. A run without a projection gets one that is fitted to
    the embeddings of these rows.

    Parameters
    ----------
    run : Run
        Whose projection it is.
    data : Dataset
        Rows of ``X``, then of ``X_test``.
    out : Path
        The file to write.
    seed : int
        Of a projection that is fitted here, and of the PCA beside it.

    Raises
    ------
    InputError
        If the run has no projection, and the rows are too few to fit one.
    """
    rows = all_rows(data)
    embeddings = run.autoencoder.transform(rows)
    projection = run.projection
    if projection is None and embeddings.shape[1] > FLAT:
        projection = fit_projector(Autoencoder, embeddings, seed, device=run.autoencoder.device)
    xy = project_embeddings(embeddings, projection)
    classes = _classes_of_all(data)
    labels = [] if classes is None else [data.classes[k] if k >= 0 else "" for k in classes]
    head = [*("x", "y")[: xy.shape[1]], *(["label"] if labels else [])]
    cells: list[list[Any]] = [[f"{value:.6g}" for value in row] for row in xy]
    if labels:
        cells = [[*row, label] for row, label in zip(cells, labels, strict=True)]
    write_rows(out, data, head, cells)
    return Projected(len(rows), *measure_projection(run.autoencoder, xy, rows, classes, seed=seed))


def _classes_of_all(data: Dataset) -> Array | None:
    """Return the class of each row, -1 where unknown; None where labels are no classes."""
    if data.y is None or not data.classes:
        return None
    if data.X_test is None:
        return data.y
    tested = np.full(len(data.X_test), -1) if data.y_test is None else data.y_test
    return np.concatenate([data.y, tested])
