"""Reconstruction of test rows, measured beside PCA."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from cuello.arrays import Array, Floats, Record
from cuello.data.scaling import Scaling
from cuello.data.sequences import steps_of
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import flat
from cuello.metrics import sample_errors
from cuello.networks import NETWORKS
from cuello.run.prepare import Prepared

__all__ = ["measure_reconstruction", "through_pca", "unit_width"]

_ROWS_AT_ONCE = 4096


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
) -> tuple[Record, Floats]:
    """Compare with PCA on the test rows; also return the model's error of each of them."""
    test, _ = prepared.test
    width = unit_width(prepared.train, sequences=NETWORKS[autoencoder.network].is_sequence)
    errors, pca_errors = np.empty(len(test)), np.empty(len(test))
    for start in range(0, len(test), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        unit = test[some] / width
        errors[some] = sample_errors(unit, autoencoder.reconstruct(test[some]) / width)
        pca_errors[some] = sample_errors(unit, through_pca(pca, autoencoder, test[some]) / width)
    return {
        "test_mse": float(errors.mean()),
        "pca_test_mse": float(pca_errors.mean()),
        "latent_dim": autoencoder.latent_dim_,
        "pca_components": int(pca.n_components_),
    }, errors
