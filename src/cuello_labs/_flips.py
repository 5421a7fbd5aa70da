"""Flipped pixels of the 7x5 characters: networks trained on them, and methods without a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello_labs._font import characters, nearest, pixel_errors

__all__ = [
    "BASELINES",
    "COPIES",
    "DRAWS",
    "NETWORKS",
    "SHOWN",
    "TEST_RATES",
    "expected",
    "flip",
    "nearest_character",
    "pca",
    "restored",
]

Array = npt.NDArray[Any]

DRAWS = 20
"""Noisy copies of each character in a test."""

TEST_RATES = (0.05, 0.1, 0.2, 0.3, 0.4)
COPIES = 8
"""Noisy copies of each character in a step."""
SHOWN = "AFKSIJQ@"

_FLIPS = {
    "kind": "denoising",
    "kind_options": {"noise": "flip", "noise_level": 0.2, "noise_share": 1.0, "noise_until": 1.0},
}
_LARGE = {"hidden": [100], "latent_dim": 10, "activation": "relu", "learning_rate": 0.003}
NETWORKS: dict[str, dict[str, Any]] = {
    "trained without noise": {**_LARGE, "kind": "plain"},
    "trained on flips": {**_LARGE, **_FLIPS},
    "trained on flips, batch norm": {**_LARGE, **_FLIPS, "batch_norm": True},
    "trained on flips, dropout 0.1": {**_LARGE, **_FLIPS, "dropout": 0.1},
    "trained on flips, 2 latents": {**_FLIPS, "hidden": [20], "latent_dim": 2},
}


def flip(X: Array, rate: float, rng: np.random.Generator) -> Array:
    """Return samples with the sign of each pixel flipped with this probability."""
    return np.where(rng.random(X.shape) < rate, -X, X).astype(np.float32)


def restored(restore: Callable[[Array, float], Array], seed: int) -> dict[str, Any]:
    """Return wrong pixels a character, and the share restored without one, by rate."""
    X, _ = characters()
    rng = np.random.default_rng(seed)
    wrong, right = [], []
    for rate in TEST_RATES:
        clean = np.repeat(X, DRAWS, axis=0)
        pixels = pixel_errors(clean, restore(flip(clean, rate, rng), rate))
        wrong.append(round(float(pixels.mean()), 4))
        right.append(round(float((pixels == 0).mean()), 4))
    result: dict[str, Any] = {"diverged": False, "wrong": wrong, "right": right}
    if seed == 0:
        shown = flip(characters(SHOWN)[0], 0.2, np.random.default_rng(0))
        result["images"] = np.round(restore(shown, 0.2), 1).tolist()
    return result


def nearest_character(x: Array, rate: float) -> Array:
    """Return the character that differs from each sample in the fewest pixels."""
    X, _ = characters()
    return X[nearest(X, x)[0]]


def expected(x: Array, rate: float) -> Array:
    """Return the mean of the characters by their probability given a sample and the flip rate.

    Its sign is right more often, pixel by pixel, than that of anything else can be.
    """
    X, _ = characters()
    different = np.sum((x[:, None] > 0) != (X[None] > 0), axis=2)
    weight = (rate / (1 - rate)) ** (different - different.min(axis=1, keepdims=True))
    return np.asarray((weight / weight.sum(axis=1, keepdims=True)) @ X)


def pca(components: int) -> Callable[[Array, float], Array]:
    """Return the projection of samples onto the first principal components of the characters."""

    def project(x: Array, rate: float) -> Array:
        from sklearn.decomposition import PCA

        fitted = PCA(components).fit(characters()[0])
        return np.asarray(fitted.inverse_transform(fitted.transform(x)))

    return project


BASELINES: dict[str, Callable[[Array, float], Array]] = {
    "noisy input": lambda x, rate: x,
    "PCA, 2 components": pca(2),
    "PCA, 10 components": pca(10),
    "nearest character": nearest_character,
    "Bayes-optimal, true flip rate": expected,
}
