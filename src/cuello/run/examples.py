"""Test samples: the reconstruction error beside PCA's, and the samples that the report shows."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import torch
from sklearn.decomposition import PCA

from cuello.arrays import Array, Float32s, Floats, Record
from cuello.data.neighbours import neighbours
from cuello.data.noise import Noise
from cuello.data.scaling import Scaling
from cuello.data.sequences import steps_of
from cuello.errors import CuelloWarning
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import flat
from cuello.estimators.sample import ReferenceEmbeddings, draw_samples
from cuello.kinds import KINDS
from cuello.metrics import sample_errors
from cuello.networks import NETWORKS
from cuello.run.prepare import Prepared

__all__ = ["example_arrays", "measure_reconstruction", "unit_width"]

NOISE = 0.3
"""Standard deviation, in shares of the range of the training samples, or of a column's spread."""
PROJECTED = 2000
"""At most as many test samples are drawn in the projection."""
_EXAMPLES = 12
_REFERENCES = 2_000
_SAMPLES_AT_ONCE = 4096
_WORSE_THAN_PCA = 1.05
"""Times the error of a PCA, from which a note tells of it."""


def unit_width(train: Array, *, sequences: bool = False) -> Array:
    """Return the divisor that brings differences of samples to a range of 0..1.

    255 for bytes, 1 for values that lie in 0..1 already, otherwise the range of the training
    samples (of each column, for tables; of each feature over all steps, for sequences).
    """
    if sequences:
        train = steps_of(train)
    scaling = Scaling.fit(train, "auto")
    if scaling.name == "standard":
        scaling = Scaling.fit(train, "minmax")
    return np.asarray(scaling.width)


def _through_pca(pca: PCA, autoencoder: Autoencoder, X: Array) -> Array:
    """Return samples reconstructed by PCA, in the units of the data."""
    scaled = flat(autoencoder.scaling_.apply(X))
    back = pca.inverse_transform(pca.transform(scaled)).astype(np.float32)
    whole = autoencoder.scaling_.invert(back.reshape(X.shape))
    # Short sequences end where they ended; bytes have no NaN.
    return whole if X.dtype == np.uint8 else np.where(np.isnan(X), np.float32(np.nan), whole)


def measure_reconstruction(
    autoencoder: Autoencoder, pca: PCA, prepared: Prepared
) -> tuple[Record, Floats]:
    """Compare with PCA on the test samples; also return the model's errors of them (n,)."""
    test, _ = prepared.test
    width = unit_width(prepared.train, sequences=NETWORKS[autoencoder.network_].is_sequence)
    errors, pca_errors = np.empty(len(test)), np.empty(len(test))
    for start in range(0, len(test), _SAMPLES_AT_ONCE):
        some = slice(start, start + _SAMPLES_AT_ONCE)
        unit = test[some] / width
        errors[some] = sample_errors(unit, autoencoder.reconstruct(test[some]) / width)
        pca_errors[some] = sample_errors(unit, _through_pca(pca, autoencoder, test[some]) / width)
    error, pca_error = float(errors.mean()), float(pca_errors.mean())
    if error > _WORSE_THAN_PCA * pca_error:
        warnings.warn(
            f"samples of the test split are reconstructed worse (mean squared error {error:.3g}) "
            f"than by a PCA with as many components ({pca_error:.3g}); train for more epochs, or "
            "choose kind plain, which starts as that PCA.",
            CuelloWarning,
            stacklevel=2,
        )
    return {
        "test_mse": error,
        "pca_test_mse": pca_error,
        "latent_dim": autoencoder.latent_dim_,
        "pca_components": int(pca.n_components_),
    }, errors


def example_arrays(
    model: Autoencoder,
    pca: PCA,
    prepared: Prepared,
    *,
    errors: Floats,
    anomaly_scores: Floats | None,
    coordinates: Float32s | None,
    seed: int,
) -> dict[str, Array]:
    """Choose what the report shows: test samples, their reconstructions, and new samples.

    ``errors`` (n,), and where there is a detector or a projection ``anomaly_scores`` (n,) and
    ``coordinates`` (n, 2), are of all test samples. Only kinds that learn to restore samples
    denoise them, and of sequences nothing is denoised or generated.
    """
    test, y = prepared.test
    is_sequence = NETWORKS[model.network_].is_sequence
    order = np.random.default_rng(seed).permutation(len(test))
    ranked = np.argsort(errors, kind="stable")
    shown = {
        "typical": order[:_EXAMPLES],
        "best": ranked[:_EXAMPLES],
        "worst": ranked[::-1][:_EXAMPLES],
    }
    projected = np.sort(order[:PROJECTED])
    arrays: dict[str, Array] = {
        "projection_rows": projected,
        "projection_embeddings": model.transform(test[projected]),
        "projection_errors": errors[projected],
    }
    if coordinates is not None:
        arrays["projection_coordinates"] = coordinates[projected]
    if y is not None:
        arrays["projection_labels"] = y[projected]
    if prepared.data.is_image and not is_sequence:
        images = test[projected]
        if images.dtype != np.uint8:
            low, high = float(images.min()), float(images.max())
            images = np.round((images - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
        arrays["projection_images"] = images
    for name, rows in shown.items():
        arrays |= {
            f"{name}_rows": rows,
            f"{name}_original": test[rows],
            f"{name}_model": model.reconstruct(test[rows]),
            f"{name}_pca": _through_pca(pca, model, test[rows]),
            f"{name}_errors": errors[rows],
        }
        if y is not None:
            arrays[f"{name}_labels"] = y[rows]
    if anomaly_scores is not None:
        rows = np.argsort(-anomaly_scores, kind="stable")[:_EXAMPLES]
        arrays |= {
            "anomalous_rows": rows,
            "anomalous_original": test[rows],
            "anomalous_model": model.reconstruct(test[rows]),
            "anomalous_scores": anomaly_scores[rows],
        }
    if is_sequence:
        return arrays
    if KINDS[model.kind_].restores and len(test):
        arrays |= _denoised(model, test, order[:_EXAMPLES], seed)
    return arrays | _sampled(model, prepared.train, seed)


def _denoised(model: Autoencoder, test: Array, rows: Array, seed: int) -> dict[str, Array]:
    """Denoise samples with the noise that the kind was trained on, or else with Gaussian noise."""
    scaling = model.scaling_
    scaled = torch.from_numpy(scaling.apply(test[rows]))
    spread = 1.0 if scaling.name == "standard" else max(scaling.high - scaling.low, 1e-12)
    noise = getattr(model.module_, "noise", None) or Noise("gaussian", NOISE * spread)
    noisy = replace(noise, share=1.0)(scaled, torch.Generator().manual_seed(seed)).numpy()
    clean = model.denoise(scaling.invert(noisy))
    return {
        "denoised_rows": rows,
        "denoised_original": test[rows],
        "denoised_noisy": scaling.invert(noisy),
        "denoised_result": clean,
        "denoised_before": sample_errors(scaled.numpy(), noisy),
        "denoised_after": sample_errors(scaled.numpy(), scaling.apply(clean)),
    }


def _sampled(model: Autoencoder, train: Array, seed: int) -> dict[str, Array]:
    rng = np.random.RandomState(seed)
    some = train[np.sort(rng.permutation(len(train))[:_REFERENCES])]
    reference = ReferenceEmbeddings(model.transform(some))
    new = draw_samples(
        model.trained_, _EXAMPLES, sampler="auto", classes=None, reference=reference, rng=rng
    )
    scaled, scaled_train = (
        torch.from_numpy(np.nan_to_num(model.scaling_.apply(rows).reshape(len(rows), -1)))
        for rows in (new, train)
    )
    nearest = neighbours(scaled, scaled_train, 1)[0][:, 0]
    return {
        "sampled_rows": nearest,
        "sampled_original": new,
        "sampled_nearest": train[nearest],
        "sampled_distance": np.sqrt(sample_errors(scaled.numpy(), scaled_train.numpy()[nearest])),
    }
