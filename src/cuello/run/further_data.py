"""Data that a run is applied to: read like its training data, and written row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cuello import atomic
from cuello.arrays import Array, Record
from cuello.data import Dataset, load
from cuello.data.columns import mark_missing, without_fill
from cuello.data.sequences import pad
from cuello.errors import CuelloError, DataError, RunError
from cuello.estimators import Autoencoder
from cuello.networks import NETWORKS
from cuello.run.embeddings import SAME_EMBEDDING, read_embeddings
from cuello.run.folder import RunFolder
from cuello.run.prepare import explain_empty_text

__all__ = ["all_rows", "read_further_data", "read_training_data", "write_csv", "write_rows"]

_COMPARED = 64  # samples


def read_further_data(
    spec: str | Path,
    config: Record,
    autoencoder: Autoencoder,
    folder: RunFolder,
    *,
    skip_bad: bool,
    holes: bool = False,
) -> Dataset:
    """Read further data; see :meth:`cuello.run.Run.load`."""
    encoding = config["data"]["encoding"] or None
    # No other labels than classes are asked for.
    task = "multiclass" if config["data"]["task"] == "multiclass" else None
    if holes and encoding is not None:
        encoding = without_fill(encoding)
    data = load(spec, encoding=encoding, task=task, skip_bad=skip_bad, allow_nan=holes)
    data = explain_empty_text(data)
    data = mark_missing(data) if holes else data.filled()
    expected, sequences = autoencoder.shape_, NETWORKS[autoencoder.network_].is_sequence
    if sequences:
        test = None if data.X_test is None else pad(data.X_test, expected[0])
        data = replace(data, X=pad(data.X, expected[0]), X_test=test)
    if data.shape != expected:
        raise DataError(
            f"{spec}: samples have shape {data.shape}; {folder.path} was trained on samples of "
            f"shape {expected}",
            remedy="give data of that shape",
        )
    if data.is_image and not sequences:
        _check_range(data, autoencoder)
    return data


def _check_range(data: Dataset, autoencoder: Autoencoder) -> None:
    """Refuse pixels in 0..1 for a model of 0..255, or vice versa: both look usable."""
    seen = data.X[~np.isnan(data.X)]
    brightest, scaling = float(seen.max(initial=0.0)), autoencoder.scaling_
    trained = float(scaling.invert(np.full((1, 1), scaling.high, dtype=np.float32)).max())
    is_bytes = data.X.dtype == np.uint8
    if (trained > 128 and 0 < brightest <= 1 and not is_bytes) or (
        trained <= 1 < brightest and is_bytes
    ):
        raise DataError(
            f"{data.source}: pixels go up to {brightest:g}, those of the training went up to "
            f"{trained:g}",
            remedy="bring them to that range",
        )


def read_training_data(config: Record, autoencoder: Autoencoder, folder: RunFolder) -> Dataset:
    """Read the data of a run again; see :meth:`cuello.run.Run.training_data`."""
    spec: str = config["job"]["data"]
    skip_bad: bool = config["job"]["skip_bad"]
    try:
        data = read_further_data(spec, config, autoencoder, folder, skip_bad=skip_bad)
    except (CuelloError, OSError) as error:
        raise RunError(
            f"the data of {folder.path} cannot be read again ({error})",
            remedy=f"put {spec} back where it was, or work from the folder it was given in",
        ) from error
    difference = _find_difference(data, autoencoder, folder)
    if difference:
        raise RunError(
            f"{spec} is not the data that {folder.path} was made of ({difference})",
            remedy="restore the data, or run the fit again",
        )
    return data


def _find_difference(data: Dataset, autoencoder: Autoencoder, folder: RunFolder) -> str:
    """Compare data with the stored embeddings: all in number, some in value."""
    _, stored = read_embeddings(folder, autoencoder.latent_dim_)
    rows = len(data) + (0 if data.X_test is None else len(data.X_test))
    if len(stored) != rows:
        return f"it has {rows} samples, and had {len(stored)}"
    some = np.unique(np.linspace(0, len(data) - 1, _COMPARED).astype(np.int64))
    now = autoencoder.transform(data.X[some])
    apart = np.abs(now - stored[some]) / autoencoder.embedding_scale_
    bad = np.flatnonzero(~(apart <= SAME_EMBEDDING).all(axis=1))
    return f"row {some[bad[0]]} has another embedding" if bad.size else ""


def all_rows(data: Dataset) -> Array:
    """Return the samples of ``data.X``, then those of the official test split, if there is one."""
    return data.X if data.X_test is None else np.concatenate([data.X, data.X_test])


def write_csv(out: Path, lines: list[list[Any]]) -> None:
    """Write lines of cells, whole or not at all."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    atomic.write_bytes(out, text.getvalue().encode())


def write_rows(
    out: Path,
    data: Dataset,
    head: list[str],
    cells: list[list[Any]],
    rows: Sequence[int] | None = None,
) -> None:
    """Write number, name if any, and cells of samples, by default of :func:`all_rows`, to CSV."""
    rows = range(len(cells)) if rows is None else rows
    names = data.row_names or ()
    named = max(rows, default=0) < len(names)
    lines = [[i, *([names[i]] if named else []), *c] for i, c in zip(rows, cells, strict=True)]
    write_csv(out, [["row", *(["name"] if named else []), *head], *lines])
