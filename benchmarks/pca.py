"""Test error of default autoencoders as a share of PCA's with as many components.

Target: at most 1.05 for the default, on every set and number of latents.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import datasets
from sklearn.decomposition import PCA

import cuello
from benchmarks.timing import Bar, Result, Settings
from cuello.data.scaling import Scaling

__all__ = ["run"]

_TARGET = 1.05
_LATENTS = (2, 8, 32)
_MODELS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "plain": {"kind": "plain"},
    "default without linear skip": {"linear_skip": False},
}

Array = npt.NDArray[Any]


def run(settings: Settings) -> Result:
    """Measure on the sets that scikit-learn brings, on other divisions and seeds each round."""
    sets = {
        "iris": datasets.load_iris().data,
        "wine": datasets.load_wine().data,
        "diabetes": datasets.load_diabetes().data,
        "breast cancer": datasets.load_breast_cancer().data,
        "digits": datasets.load_digits().images,
    }
    seeds = range(1 if settings.quick else min(settings.rounds, 3))
    options: dict[str, Any] = {"epochs": 1} if settings.quick else {}
    rows: list[tuple[object, ...]] = []
    worst: list[float] = []
    for name, X in sets.items():
        for latents in (k for k in _LATENTS if k < X[0].size):
            row: list[object] = [name, latents]
            for changes in _MODELS.values():
                ratios = [
                    _ratio(X, seed, {**changes, **options, "latent_dim": latents}) for seed in seeds
                ]
                row.append(f"{np.mean(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
                if not changes:
                    worst.append(float(np.mean(ratios)))
            rows.append(tuple(row))
    above = sum(ratio > _TARGET for ratio in worst)
    return Result(
        name="pca",
        columns=("data", "latents", *_MODELS),
        rows=rows,
        bars=[
            Bar(
                what=f"cases, of {len(worst)}, whose mean is above {_TARGET}",
                value=float(above),
                target="0",
                met=not above,
            )
        ],
        notes=[
            f"{len(seeds)} divisions of four fifths and one, and as many seeds: mean and range."
        ],
    )


def _ratio(X: Array, seed: int, options: Mapping[str, Any]) -> float:
    order = np.random.default_rng(seed).permutation(len(X))
    cut = int(0.8 * len(X))
    train, test = X[order[:cut]], X[order[cut:]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cuello.CuelloWarning)
        model = cuello.Autoencoder(**options, random_state=seed, verbose=False).fit(train)
    # In the units of the training samples, which PCA is given as well.
    scaling = Scaling.fit(train, "auto")
    scaled, scaled_train = (scaling.apply(a).reshape(len(a), -1) for a in (test, train))
    pca = PCA(options["latent_dim"], random_state=0).fit(scaled_train)
    back = scaling.apply(model.reconstruct(test)).reshape(len(test), -1)
    error = np.square(scaled - back).mean()
    return float(error / np.square(scaled - pca.inverse_transform(pca.transform(scaled))).mean())
