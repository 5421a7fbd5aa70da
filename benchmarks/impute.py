"""Missing elements filled: autoencoders beside column means and nearest neighbours.

A table of 569 rows of 30 measurements (breast cancer, bundled with scikit-learn), a fifth of whose
cells are missing at random in a third of the samples; and 1,000 MNIST test images half of whose
pixels are, from 10,000 whole training images. Every method sees the same complete training samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.impute import KNNImputer
from sklearn.preprocessing import StandardScaler

import cuello
from benchmarks.timing import Bar, Result, Settings
from cuello.metrics import mean_sd
from cuello_labs._fit import fit
from cuello_labs._images import images

__all__ = ["MODELS", "run"]

Array = npt.NDArray[Any]

SEEDS = 3
_MISSING = {"table": 0.2, "mnist": 0.5}
_HIDING = {"noise": "masking", "noise_share": 1.0, "noise_until": 1.0}
MODELS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "table": {
        "denoising": {"kind_options": _HIDING | {"noise_level": 0.2}, "latent_dim": 16},
        "plain": {"kind": "plain", "latent_dim": 8},
        "variational": {"kind": "variational", "latent_dim": 8},
    },
    "mnist": {
        "denoising": {
            "kind_options": _HIDING | {"noise_level": 0.5},
            "hidden": (1024,),
            "latent_dim": 256,
        },
        "denoising, all defaults": {},
        "variational": {"kind": "variational", "latent_dim": 32},
    },
}


def run(settings: Settings) -> Result:
    """Measure: some minutes on one thread."""
    torch.set_num_threads(1)
    measured: dict[tuple[str, str], list[float]] = {}
    sets = ["table"]
    try:
        cuello.load("mnist", offline=True)
        sets.append("mnist")
    except cuello.DataError:
        pass
    for seed in range(1 if settings.quick else SEEDS):
        for name in sets:
            for method, error in _measure(name, seed, settings.quick):
                measured.setdefault((name, method), []).append(error)
    rows, bars = [], []
    for (name, method), errors in measured.items():
        mean, sd = mean_sd(np.array(errors))
        rows.append((name, method, f"{mean:.4f} ± {sd:.4f}"))
    for name in sets:
        ours = min(float(np.mean(measured[name, method])) for method in MODELS[name])
        theirs = float(np.mean(measured[name, "5 nearest samples"]))
        what = f"error of the best autoencoder over that of nearest samples, {name}"
        bars.append(Bar(what=what, value=ours / theirs, target="below 1", met=ours < theirs))
    return Result(
        name="impute",
        columns=("data", "method", "root mean squared error of missing elements"),
        rows=rows,
        bars=bars,
        notes=[
            f"{SEEDS} seeds of weights and of what is missing; a table's columns have deviation 1, "
            "pixels are in 0..1"
        ],
    )


def _measure(name: str, seed: int, quick: bool) -> Iterator[tuple[str, float]]:
    train, truth = _rows(name, seed, quick)
    missing = np.random.default_rng(seed).random(truth.shape) < _MISSING[name]
    holed = np.where(missing, np.nan, truth).astype(np.float32)
    for method, fill in _methods(name, train, seed, quick).items():
        error = (fill(holed) - truth)[missing]
        yield method, float(np.sqrt(np.mean(np.square(error, dtype=np.float64))))


def _rows(name: str, seed: int, quick: bool) -> tuple[Array, Array]:
    if name == "mnist":
        data = images("mnist", 500 if quick else 10_000, 100 if quick else 1000)
        return data.X, data.X_test
    X = np.random.default_rng(seed).permutation(load_breast_cancer().data)
    cut = 2 * len(X) // 3
    scaler = StandardScaler().fit(X[:cut])
    return tuple(scaler.transform(part).astype(np.float32) for part in (X[:cut], X[cut:]))


def _methods(
    name: str, train: Array, seed: int, quick: bool
) -> dict[str, Callable[[Array], Array]]:
    flat = train.reshape(len(train), -1)
    nearest = KNNImputer(n_neighbors=5).fit(flat)
    methods: dict[str, Callable[[Array], Array]] = {
        "column means": lambda X: np.where(np.isnan(X), train.mean(axis=0), X),
        "5 nearest samples": lambda X: nearest.transform(X.reshape(len(X), -1)).reshape(X.shape),
    }
    for method, options in MODELS[name].items():
        own = dict(options) | ({"epochs": 1} if quick else {})
        methods[method] = fit(cuello.Autoencoder(**own, random_state=seed), train).impute
    return methods
