"""The table of a run's embeddings: written, and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cuello import atomic
from cuello.anomalies import AnomalyDetector
from cuello.arrays import Array, Float32s, Indices
from cuello.data import Dataset
from cuello.data.splits import Split
from cuello.errors import RunError
from cuello.estimators import Autoencoder
from cuello.run.folder import RunFolder

__all__ = ["SAME_EMBEDDING", "read_embeddings", "write_embeddings"]

SAME_EMBEDDING = 1e-3
"""In standard deviations: what rounding makes of a row in another batch."""


def read_embeddings(
    folder: RunFolder, latents: int, columns: tuple[str, ...] = ()
) -> tuple[pa.Table, Float32s]:
    """Return the table of embeddings, and those alone (rows, latents), rows of ``X`` first.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    latents : int
        How many the model has.
    columns : tuple of str
        What else the table must have.

    Raises
    ------
    RunError
        If the file is missing or damaged, or of another model.
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
    detector: AnomalyDetector | None = None,
) -> int:
    """Write the embedding of every row to Parquet, atomically; return how many rows.

    Columns: ``row``, ``split`` (``train``, ``validation`` or ``test``, where rows were split or
    there is an official test split), ``name`` (where rows have names), ``label`` (where known; for
    several properties a column for each, ``label NAME``), ``labelled`` (where there is a
    classifier: whether it learned from that label), ``anomaly_score`` (where there is a detector),
    ``z0``, ``z1``, ...
    """
    splits = np.full(len(data), "train" if rows is None else "test", dtype=object)
    if rows is not None:
        splits[rows.train], splits[rows.validation] = "train", "validation"
    tables = [_embedding_table(data, data.X, data.y, data.row_names, splits, autoencoder, detector)]
    if data.X_test is not None:
        splits = np.full(len(data.X_test), "test", dtype=object)
        tables.append(
            _embedding_table(data, data.X_test, data.y_test, None, splits, autoencoder, detector)
        )
    table = pa.concat_tables(tables, promote_options="default")
    if labelled is not None:
        seen = np.isin(np.arange(table.num_rows), labelled)  # rows of X come first
        table = table.add_column(
            table.column_names.index("z0") - (detector is not None), "labelled", pa.array(seen)
        )
    if rows is None and data.X_test is None:
        table = table.drop_columns("split")
    atomic.write(path, lambda temporary: pq.write_table(table, temporary))
    return int(table.num_rows)


def _embedding_table(
    data: Dataset,
    X: Array,
    y: Array | None,
    names: tuple[str, ...] | None,
    splits: Array,
    autoencoder: Autoencoder,
    detector: AnomalyDetector | None,
) -> pa.Table:
    z = autoencoder.transform(X)
    columns: dict[str, Any] = {"row": pa.array(np.arange(len(X))), "split": pa.array(splits)}
    if names is not None:
        columns["name"] = pa.array(names)
    if y is not None and data.classes:
        columns["label"] = pa.array([data.classes[i] if i >= 0 else None for i in y])
    elif y is not None and data.task == "regression":
        columns["label"] = pa.array(y, from_pandas=True)  # NaN becomes null
    elif y is not None:
        for k, name in enumerate(data.properties):
            columns[f"label {name}"] = pa.array(y[:, k], from_pandas=True)
    if detector is not None:
        columns["anomaly_score"] = pa.array(detector.anomaly_scores(X))
    columns |= {f"z{k}": pa.array(z[:, k]) for k in range(z.shape[1])}
    return pa.table(columns)
