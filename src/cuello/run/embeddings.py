"""Embeddings of a run: their table, their projection to 2-D coordinates, and its quality.

Embeddings of one or two latents are their own coordinates.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cuello import atomic
from cuello.arrays import Array, Float32s, Floats, Indices
from cuello.data import Dataset
from cuello.data.splits import Split
from cuello.errors import CuelloWarning, DivergedError, RunError
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca, flat
from cuello.estimators.projection import FEWEST_SAMPLES, FLAT, fit_projector
from cuello.metrics import ProjectionQuality, projection_quality
from cuello.run.folder import RunFolder

__all__ = [
    "SAME_EMBEDDING",
    "learn_projection",
    "measure_projection",
    "read_embeddings",
    "write_embeddings",
]

SAME_EMBEDDING = 1e-3
"""Largest difference, in standard deviations, that rounding makes in another batch."""
_MEASURED = 2000  # samples: every distance between two is computed


def read_embeddings(
    folder: RunFolder, latents: int, columns: tuple[str, ...] = ()
) -> tuple[pa.Table, Float32s]:
    """Return the table of embeddings, and those alone (samples, latents), those of ``X`` first.

    Refuse (RunError) a table that is damaged, of another model, or lacks one of ``columns``.
    """
    file = folder.embeddings
    try:
        table = pq.read_table(file)
        missing = {"row", *columns, *(f"z{k}" for k in range(latents))} - {*table.column_names}
        if missing:
            raise KeyError(f"it has no column {', '.join(sorted(missing))}")
        if f"z{latents}" in table.column_names:
            raise KeyError(f"z{latents} is one latent more than the model has")
        z = np.stack([table[f"z{k}"].to_numpy() for k in range(latents)], axis=1)
        return table, z.astype(np.float32)
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        missing_file = isinstance(error, FileNotFoundError)
        reason = "it does not exist" if missing_file else " ".join(str(error).split())[:200]
        raise RunError(
            f"{file} cannot be used ({reason})", remedy="restore the folder, or run the fit again"
        ) from error


def write_embeddings(
    path: Path,
    data: Dataset,
    autoencoder: Autoencoder,
    rows: Split | None = None,
    labelled: Indices | None = None,
    anomaly_scores: Floats | None = None,
) -> int:
    """Write the embedding of every sample to Parquet, atomically; return how many.

    Columns: ``row``, ``split`` (``train``, ``validation`` or ``test``, where samples were split or
    there is an official test split), ``name`` (where samples have names), ``label`` (for properties
    a column for each, ``label NAME``), ``labelled`` (where there is a classifier: whether it
    learned from that label), ``anomaly_score`` (where those of all are given), ``z0``, ``z1``, ...
    """
    splits = np.full(len(data), "train" if rows is None else "test", dtype=object)
    if rows is not None:
        splits[rows.train], splits[rows.validation] = "train", "validation"
    parts = [(data.X, data.y, data.row_names, splits)]
    if data.X_test is not None:
        test = np.full(len(data.X_test), "test", dtype=object)
        parts.append((data.X_test, data.y_test, None, test))
    tables = []
    for X, y, names, split in parts:
        z = autoencoder.transform(X)
        columns: dict[str, Any] = {"row": pa.array(np.arange(len(X))), "split": pa.array(split)}
        if names is not None:
            columns["name"] = pa.array(names)
        if y is not None and data.classes:
            columns["label"] = pa.array([data.classes[i] if i >= 0 else None for i in y])
        elif y is not None and data.task == "regression":
            columns["label"] = pa.array(y, from_pandas=True)  # NaN becomes null
        elif y is not None:
            for k, name in enumerate(data.properties):
                columns[f"label {name}"] = pa.array(y[:, k], from_pandas=True)
        tables.append(pa.table(columns | {f"z{k}": pa.array(z[:, k]) for k in range(z.shape[1])}))
    table = pa.concat_tables(tables, promote_options="default")
    further: dict[str, Any] = {}
    if labelled is not None:  # samples of X come first
        further["labelled"] = np.isin(np.arange(table.num_rows), labelled)
    if anomaly_scores is not None:
        further["anomaly_score"] = anomaly_scores
    for name, values in further.items():
        table = table.add_column(table.column_names.index("z0"), name, pa.array(values))
    if rows is None and data.X_test is None:
        table = table.drop_columns("split")
    atomic.write(path, lambda temporary: pq.write_table(table, temporary))
    return int(table.num_rows)


def learn_projection(
    autoencoder: Autoencoder, train: Array, seed: int, max_time: float | None = None
) -> Autoencoder | None:
    """Fit a projection to training samples; None if there is no need, or too few samples."""
    if autoencoder.latent_dim_ <= FLAT or len(train) < FEWEST_SAMPLES:
        return None
    try:
        embeddings = autoencoder.transform(train)
        device = autoencoder.device
        return fit_projector(Autoencoder, embeddings, seed, device=device, max_time=max_time)
    except DivergedError as error:  # a run is worth more than its projection
        warnings.warn(
            f"The run keeps no projection of its embeddings: {error}", CuelloWarning, stacklevel=2
        )
        return None


def measure_projection(
    autoencoder: Autoencoder, xy: Array, rows: Array, classes: Array | None, *, seed: int
) -> tuple[int, dict[str, ProjectionQuality]]:
    """Measure coordinates ``xy`` (n, 1 or 2) of samples beside those of a PCA of the same samples.

    ``classes`` (n,) are codes, -1 where unknown. Return how many samples were measured, and the
    quality by method, which is empty where samples are too few.
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
