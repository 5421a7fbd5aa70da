"""Further data, read the way the data of a run was read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cuello.arrays import Record
from cuello.data import Dataset, load
from cuello.data.cells import mark_missing, without_fill
from cuello.data.sequences import pad
from cuello.errors import DataError
from cuello.estimators import Autoencoder
from cuello.networks import NETWORKS
from cuello.run.folder import RunFolder
from cuello.run.prepare import explain_empty_text

__all__ = ["read_further_data"]


def read_further_data(
    spec: str | Path,
    config: Record,
    autoencoder: Autoencoder,
    folder: RunFolder,
    *,
    skip_bad: bool,
    holes: bool,
) -> Dataset:
    """Read data the way that of a run was read; see :meth:`cuello.run.Run.load`."""
    encoding = config["data"]["encoding"] or None
    # No other labels than classes are asked for.
    task = "multiclass" if config["data"]["task"] == "multiclass" else None
    if holes and encoding is not None:
        encoding = without_fill(encoding)
    data = load(spec, encoding=encoding, task=task, skip_bad=skip_bad, allow_nan=holes)
    data = explain_empty_text(data)
    data = mark_missing(data) if holes else data.filled()
    expected, sequences = autoencoder.shape_, NETWORKS[autoencoder.network].is_sequence
    if sequences:
        test = None if data.X_test is None else pad(data.X_test, expected[0])
        data = replace(data, X=pad(data.X, expected[0]), X_test=test)
    if data.shape != expected:
        raise DataError(
            f"{spec}: rows have shape {data.shape}; {folder.path} was trained on rows of shape "
            f"{expected}",
            remedy="give data of that shape",
        )
    if data.is_image and not sequences:
        _check_range(data, autoencoder)
    return data


def _check_range(data: Dataset, autoencoder: Autoencoder) -> None:
    """Refuse pixels in 0..1 for a model of 0..255, or the other way round: both look usable."""
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
