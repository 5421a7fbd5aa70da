"""Noisy MNIST images, cleaned: autoencoders beside filters and principal components.

One autoencoder for each of three noises, trained at one level, and one for noise that it is not
known to it (``mixed``). All clean the same noisy test images at five levels. The parameter of the
others, a filter's width or the number of components, is chosen for each noise and level on training
images with that noise; the components are those of clean training images. The mixed autoencoder is
never given noise or level. Two noises no autoencoder has seen: ``flip``, and ``speckle``, which
multiplies each pixel by a normal number of mean 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA

import cuello
from benchmarks.timing import Bar, Result, Settings
from cuello.data.noise import Noise
from cuello.metrics import mean_sd
from cuello_labs._images import Images, images
from cuello_labs.denoising import Array, add_noise, decibels, median, project, similarity

__all__ = ["BAR", "LEVELS", "MODEL", "OWN", "run"]

LEVELS: Mapping[str, tuple[float, ...]] = {
    "gaussian": (0.1, 0.2, 0.3, 0.4, 0.5),
    "masking": (0.1, 0.3, 0.5, 0.7, 0.9),
    "salt_and_pepper": (0.1, 0.2, 0.3, 0.4, 0.5),
    "flip": (0.1, 0.2, 0.3, 0.35, 0.4),
    "speckle": (0.2, 0.4, 0.6, 0.8, 1.0),
}
OWN: Mapping[str, float] = {"gaussian": 0.5, "masking": 0.5, "salt_and_pepper": 0.5, "mixed": 1.0}
"""Noise and level of each training."""
MODEL: Mapping[str, Any] = {
    "kind": "denoising",
    "network": "conv",
    "hidden": (16, 32),
    "latent_dim": 512,
    "learning_rate": 0.003,
    "epochs": 20,
}
BAR = 3.0
"""dB above the best other method at Gaussian noise of deviation 0.5."""

SEEDS = 3
_WIDTHS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # deviations of the Gaussian filter, in pixels
_WINDOWS = (3, 5, 7)
_COMPONENTS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_TUNED = 2000  # training images
Measured = dict[tuple[str, float, str], list[tuple[float, float]]]


def run(settings: Settings) -> Result:
    """Measure: an hour or two on one thread."""
    try:
        cuello.load("mnist", offline=True)
    except cuello.DataError:
        return Result(name="denoise", columns=(), rows=[], notes=["needs mnist."])
    torch.set_num_threads(1)
    data = images("mnist", 2000, 500) if settings.quick else images("mnist")
    measured: Measured = {}
    for seed in range(1 if settings.quick else SEEDS):
        models = {name: _fit(data, name, seed, settings.quick) for name in OWN}
        for key, found in _measure(data, models, seed):
            measured.setdefault(key, []).append(found)
    return _result(measured)


def _fit(data: Images, noise: str, seed: int, quick: bool) -> cuello.Autoencoder:
    options = {"noise": noise, "noise_level": OWN[noise], "noise_share": 1.0}
    options |= {"noise_until": 1.0}
    own = dict(MODEL) | ({"epochs": 1} if quick else {})
    return cuello.Autoencoder(**own, kind_options=options, random_state=seed).fit(data.X)


def _noisy(X: Array, noise: str, level: float, seed: int) -> Array:
    if noise != "speckle":
        return add_noise(X, noise, level, seed)
    ones = Noise("gaussian", level)(
        torch.ones(X.shape), torch.Generator().manual_seed(seed)
    ).numpy()
    return np.asarray(X * ones)


def _measure(data: Images, models: Mapping[str, cuello.Autoencoder], seed: int) -> Any:
    """Yield (noise, level, method) and its PSNR and SSIM."""
    tune_on = data.X[-_TUNED:]
    pca = PCA(min(max(_COMPONENTS), len(data.X) - 1), random_state=seed)
    pca.fit(data.X[:20_000].reshape(-1, 784))
    for noise, levels in LEVELS.items():
        for level in levels:
            tune, test = (_noisy(X, noise, level, seed + 100) for X in (tune_on, data.X_test))
            # Masked pixels pull every estimate down; who knows their share can raise the others.
            masked = level if noise == "masking" else 0.0
            methods: dict[str, tuple[tuple[float, ...], Callable[[Array, Any], Array]]] = {
                "median filter": (_WINDOWS, median),
                "Gaussian filter": (_WIDTHS, lambda X, w: gaussian_filter(X, (0, w, w))),
                "PCA": (_COMPONENTS, lambda X, k: project(pca, X, k)),
            }
            cleaned = {"noisy image": test}
            for name, (choices, clean) in methods.items():
                lift = 1.0 if name == "median filter" else 1.0 / (1.0 - masked)
                best = max(
                    choices,
                    key=lambda w, c=clean, s=lift: decibels(tune_on, c(tune * s, w).clip(0, 1)),
                )
                cleaned[name] = clean(test * lift, best)
            if noise in models:
                cleaned["autoencoder"] = models[noise].denoise(test, masked=masked)
            cleaned["autoencoder, unknown noise"] = models["mixed"].denoise(test)
            for name, X in cleaned.items():
                own = X.clip(0.0, 1.0)
                psnr, ssim = decibels(data.X_test, own), similarity(data.X_test, own).mean()
                yield (noise, level, name), (psnr, float(ssim))


def _result(measured: Measured) -> Result:
    names = list(dict.fromkeys(name for _, _, name in measured))
    rows: list[tuple[object, ...]] = []
    for noise, levels in LEVELS.items():
        for level in levels:
            for place, unit in enumerate(("PSNR, dB", "SSIM")):
                cells = [
                    _cell([f[place] for f in measured.get((noise, level, name), [])], place)
                    for name in names
                ]
                rows.append((f"{noise.replace('_', ' ')} {level:g}", unit, *cells))
    others = ("median filter", "Gaussian filter", "PCA")
    gains = [
        own[0] - max(measured["gaussian", 0.5, name][seed][0] for name in others)
        for seed, own in enumerate(measured["gaussian", 0.5, "autoencoder"])
    ]
    gain = float(np.mean(gains))
    return Result(
        name="denoise",
        columns=("noise", "measure", *names),
        rows=rows,
        bars=[
            Bar(
                what="dB above the best of the others at Gaussian 0.5",
                value=gain,
                target=f"at least {BAR:g}",
                met=gain >= BAR,
            )
        ],
        notes=[f"{len(gains)} seeds, of weights and of noise; gains {np.round(gains, 2).tolist()}"],
    )


def _cell(values: list[float], decimals: int) -> str:
    if not values:
        return ""
    digits = 2 + decimals
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    mean, sd = mean_sd(np.array(values))
    return f"{mean:.{digits}f} ± {sd:.{digits}f}"
