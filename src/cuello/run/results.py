"""What is measured on, and kept of, a trained autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.decomposition import PCA

from cuello import atomic
from cuello.anomalies import AnomalyDetector
from cuello.data import Dataset
from cuello.data.scaling import Scaling
from cuello.data.sequences import steps_of
from cuello.data.splits import Split
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import flat
from cuello.metrics import sample_errors
from cuello.networks import NETWORKS
from cuello.run.prepare import Prepared

__all__ = ["examples", "measure_reconstruction", "unit_width", "write_embeddings"]

Array = npt.NDArray[Any]

_MAP_ROWS = 2000
_SHOWN = 12
_CHUNK = 4096


def unit_width(train: Array, *, sequences: bool = False) -> Array:
    """Return what to divide a difference by to have it in the data's 0..1 scale.

    255 for bytes, 1 for values that lie in 0..1 already, otherwise the range of the training rows
    (of each column, for tables; of each feature over all steps, for sequences).
    """
    if sequences:
        train = steps_of(train)
    scaling = Scaling.fit(train, "auto")
    if scaling.name == "standard":
        scaling = Scaling.fit(train, "minmax")
    return np.asarray(scaling.width)


def through_pca(pca: PCA, autoencoder: Autoencoder, rows: Array) -> Array:
    """Return rows after PCA's projection, in the data's own units."""
    scaled = flat(autoencoder.scaling_.apply(rows))
    back = pca.inverse_transform(pca.transform(scaled)).astype(np.float32)
    whole = autoencoder.scaling_.invert(back.reshape(rows.shape))
    # Short sequences end where they ended; bytes have no NaN.
    return whole if rows.dtype == np.uint8 else np.where(np.isnan(rows), np.float32(np.nan), whole)


def measure_reconstruction(
    autoencoder: Autoencoder, pca: PCA, prepared: Prepared
) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
    """Compare with PCA on the test part; also return the model's error of each test row."""
    test, _ = prepared.test
    width = unit_width(prepared.train, sequences=NETWORKS[autoencoder.network].is_sequence)
    errors, pca_errors = np.empty(len(test)), np.empty(len(test))
    for start in range(0, len(test), _CHUNK):
        rows = test[start : start + _CHUNK]
        unit = rows / width
        errors[start : start + _CHUNK] = sample_errors(unit, autoencoder.reconstruct(rows) / width)
        pca_errors[start : start + _CHUNK] = sample_errors(
            unit, through_pca(pca, autoencoder, rows) / width
        )
    return {
        "test_mse": float(errors.mean()),
        "pca_test_mse": float(pca_errors.mean()),
        "latent_dim": autoencoder.latent_dim_,
        "pca_components": int(pca.n_components_),
    }, errors


def write_embeddings(
    path: Path,
    data: Dataset,
    autoencoder: Autoencoder,
    rows: Split | None = None,
    labelled: npt.NDArray[np.int64] | None = None,
    detector: AnomalyDetector | None = None,
) -> int:
    """Write the code of every row to Parquet, atomically; return how many rows.

    Columns: ``row``, ``part`` (``train``, ``validation`` or ``test``, where rows were split or
    there is an official test part), ``name`` (where rows have names), ``label`` (where known; for
    several properties a column for each, ``label NAME``),
    ``labelled`` (where there is a classifier: whether it learned from that label), ``anomaly``
    (where there is a detector: how strange the row is), ``z0``, ``z1``, ...
    """
    parts = np.full(len(data), "train" if rows is None else "test", dtype=object)
    if rows is not None:
        parts[rows.train], parts[rows.validation] = "train", "validation"
    tables = [_embedding_table(data, data.X, data.y, data.row_names, parts, autoencoder, detector)]
    if data.X_test is not None:
        parts = np.full(len(data.X_test), "test", dtype=object)
        test = _embedding_table(data, data.X_test, data.y_test, None, parts, autoencoder, detector)
        tables.append(test)
    table = pa.concat_tables(tables, promote_options="default")
    if labelled is not None:
        seen = np.isin(np.arange(table.num_rows), labelled)  # rows of X come first
        table = table.add_column(
            table.column_names.index("z0") - (detector is not None), "labelled", pa.array(seen)
        )
    if rows is None and data.X_test is None:
        table = table.drop_columns("part")
    atomic.write(path, lambda temporary: pq.write_table(table, temporary))
    return int(table.num_rows)


def _embedding_table(
    data: Dataset,
    X: Array,
    y: Array | None,
    names: tuple[str, ...] | None,
    parts: Array,
    autoencoder: Autoencoder,
    detector: AnomalyDetector | None,
) -> pa.Table:
    codes = autoencoder.transform(X)
    columns: dict[str, Any] = {"row": pa.array(np.arange(len(X))), "part": pa.array(parts)}
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
        columns["anomaly"] = pa.array(detector.anomaly_scores(X))
    columns |= {f"z{k}": pa.array(codes[:, k]) for k in range(codes.shape[1])}
    return pa.table(columns)


def examples(
    autoencoder: Autoencoder,
    pca: PCA,
    prepared: Prepared,
    errors: npt.NDArray[np.float64],
    places: npt.NDArray[np.float32] | None,
    seed: int,
) -> dict[str, Array]:
    """Choose the test rows that the report shows, with their codes and reconstructions.

    ``places`` are those of all test rows on the map of codes (n, 2), if there is one.
    """
    test, y = prepared.test
    order = np.random.default_rng(seed).permutation(len(test))
    ranked = np.argsort(errors, kind="stable")
    shown = {
        "typical": order[:_SHOWN],
        "best": ranked[:_SHOWN],
        "worst": ranked[::-1][:_SHOWN],
    }
    mapped = np.sort(order[:_MAP_ROWS])
    arrays: dict[str, Array] = {
        "map_rows": mapped,
        "project_embeddings": autoencoder.transform(test[mapped]),
        "map_errors": errors[mapped],
    }
    if places is not None:
        arrays["map_places"] = places[mapped]
    if y is not None:
        arrays["map_labels"] = y[mapped]
    if prepared.data.is_image and not NETWORKS[autoencoder.network].is_sequence:
        arrays["map_images"] = _as_bytes(test[mapped], autoencoder)
    for name, rows in shown.items():
        arrays |= {
            f"{name}_rows": rows,
            f"{name}_original": test[rows],
            f"{name}_model": autoencoder.reconstruct(test[rows]),
            f"{name}_pca": through_pca(pca, autoencoder, test[rows]),
            f"{name}_errors": errors[rows],
        }
        if y is not None:
            arrays[f"{name}_labels"] = y[rows]
    return arrays


def _as_bytes(images: Array, autoencoder: Autoencoder) -> npt.NDArray[np.uint8]:
    if images.dtype == np.uint8:
        return images
    low, high = float(images.min()), float(images.max())
    return np.round((images - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
