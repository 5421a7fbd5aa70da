"""Test rows that the report shows: reconstructed, anomalous, denoised; and new ones beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from sklearn.decomposition import PCA

from cuello.arrays import Array, Float32s, Floats
from cuello.data.neighbours import neighbours
from cuello.data.noise import Noise
from cuello.estimators import Autoencoder
from cuello.estimators.sample import ReferenceEmbeddings, draw_samples
from cuello.kinds import KINDS
from cuello.metrics import sample_errors
from cuello.networks import NETWORKS
from cuello.run.prepare import Prepared
from cuello.run.reconstruction import through_pca

__all__ = ["application_examples", "reconstruction_examples"]

NOISE = 0.3
"""Standard deviation, in shares of the range of the training rows, or of a column's spread."""
PROJECTED = 2000
"""At most as many test rows are drawn in the plane."""
_EXAMPLES = 12
_REFERENCES = 2_000


def reconstruction_examples(
    autoencoder: Autoencoder,
    pca: PCA,
    prepared: Prepared,
    errors: Floats,
    coordinates: Float32s | None,
    seed: int,
) -> dict[str, Array]:
    """Choose test rows that are shown, with their embeddings and reconstructions.

    ``errors`` (n,) and ``coordinates`` (n, 2), if there is a projection, are of all test rows.
    """
    test, y = prepared.test
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
        "projection_embeddings": autoencoder.transform(test[projected]),
        "projection_errors": errors[projected],
    }
    if coordinates is not None:
        arrays["projection_coordinates"] = coordinates[projected]
    if y is not None:
        arrays["projection_labels"] = y[projected]
    if prepared.data.is_image and not NETWORKS[autoencoder.network].is_sequence:
        arrays["projection_images"] = _stretch_to_bytes(test[projected])
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


def application_examples(
    model: Autoencoder, anomaly_scores: Floats | None, prepared: Prepared, seed: int
) -> dict[str, Array]:
    """Return the most anomalous test rows, denoised rows, and samples, by name.

    ``anomaly_scores`` (n,) are those of the test rows, None without a detector. Only kinds that
    learned to restore rows denoise them, and of sequences nothing but anomalies is shown.
    """
    arrays: dict[str, Array] = {}
    test = prepared.test[0]
    if anomaly_scores is not None:
        rows = np.argsort(-anomaly_scores, kind="stable")[:_EXAMPLES]
        arrays |= {
            "anomalous_rows": rows,
            "anomalous_original": test[rows],
            "anomalous_model": model.reconstruct(test[rows]),
            "anomalous_scores": anomaly_scores[rows],
        }
    if NETWORKS[model.network].is_sequence:
        return arrays
    if KINDS[model.kind].restores and len(test):
        arrays |= _denoised(model, test, seed)
    return arrays | _sampled(model, prepared.train, seed)


def _denoised(model: Autoencoder, test: Array, seed: int) -> dict[str, Array]:
    """Damage rows as the kind learned to mend them, or else by Gaussian noise."""
    rows = np.random.default_rng(seed).permutation(len(test))[:_EXAMPLES]
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


def _stretch_to_bytes(images: Array) -> Array:
    if images.dtype == np.uint8:
        return images
    low, high = float(images.min()), float(images.max())
    return np.round((images - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
