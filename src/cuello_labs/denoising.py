"""Noise reduction: an autoencoder beside a median filter and principal components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.ndimage import median_filter
from sklearn.decomposition import PCA

from cuello.arrays import Array
from cuello.data.noise import Noise
from cuello.estimators import Autoencoder
from cuello.study.summary import group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs import _denoising_pictures as pictures
from cuello_labs._fit import fit
from cuello_labs._images import Images, images
from cuello_labs._packed import pack
from cuello_labs.base import Findings, Lab, Table
from cuello_labs.metrics import psnr, ssim

__all__ = ["LAB"]

LEVELS: Mapping[str, tuple[float, ...]] = {
    "gaussian": (0.1, 0.25, 0.5),
    "masking": (0.1, 0.25, 0.5),
    "salt_and_pepper": (0.1, 0.25, 0.5),
}
METHODS = ("noisy", "median filter", "PCA", "autoencoder")
MODEL: Mapping[str, Any] = {
    "kind": "denoising",
    "network": "dense",
    "hidden": (),
    "latent_activation": "relu",
    "allow_overcomplete": True,
    "loss": "bce",
    "learning_rate": 0.002,
    "batch_size": 128,
    "scaling": "none",
}
"""Options of the autoencoder; noise and its level are those it is tested with.

More latents than pixels, as in the source: noise alone keeps it from copying, and few latents would
lose more of an image than weak noise does.
"""

_WINDOWS = (3, 5)  # of the median filter, in pixels
_COMPONENTS = (8, 16, 32, 64, 128, 256)
_VALIDATION = 0.1  # of the training samples: choose window, components and the best epoch
_DRAWN = 6  # images


def trials(quick: bool) -> list[Trial]:
    """Return every noise at every level, with 3 seeds, on digits and on garments."""
    sizes: dict[str, Any] = {"train_size": 10_000, "test_size": 2_000, "epochs": 15}
    sizes |= {"latent_dim": 1000}
    sets, seeds, levels = ["mnist", "fashion-mnist"], 3, LEVELS
    if quick:
        sizes = {"train_size": None, "test_size": 200, "epochs": 40, "latent_dim": 100}
        sets, seeds = ["digits"], 2
        levels = {name: (medium, high) for name, (_, medium, high) in LEVELS.items()}
    settings = [
        {"data": data, "noise": noise, "level": level}
        for data in sets
        for noise, strengths in levels.items()
        for level in strengths
    ]
    return over(seeds, settings, **sizes)


def run(missing: list[Trial]) -> Ran:
    """Train an autoencoder on each noise, and clean the same noisy test images by all methods."""
    for trial in missing:
        chosen = trial.options
        data = images(chosen["data"], chosen["train_size"], chosen["test_size"])
        model = Autoencoder(
            **MODEL,
            kind_options={
                "noise": chosen["noise"],
                "noise_level": chosen["level"],
                "noise_share": 0.9,
                "noise_until": 1.0,
            },
            latent_dim=chosen["latent_dim"],
            epochs=chosen["epochs"],
            random_state=trial.seed,
        )
        yield trial, compare(data, model, chosen["noise"], chosen["level"], trial.seed)


def compare(
    data: Images, model: Autoencoder, noise: str, level: float, seed: int
) -> dict[str, Any]:
    """Clean noisy test images by every method; return PSNR, SSIM and the chosen settings."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.X))
    held_out = order[: round(_VALIDATION * len(order))]
    train, validation = data.X[order[len(held_out) :]], data.X[held_out]
    fit(model, train, validation=validation)
    tune = add_noise(validation, noise, level, 2 * seed)
    noisy = add_noise(data.X_test, noise, level, 2 * seed + 1)
    # Masked pixels pull all estimates down; the others are raised, so that the mean is right.
    lift = 1.0 / (1.0 - level) if noise == "masking" else 1.0
    window = max(_WINDOWS, key=lambda w: decibels(validation, median(tune, w)))
    pca = PCA(min(max(_COMPONENTS), data.side**2), random_state=seed)
    pca.fit(train.reshape(len(train), -1))
    possible = [k for k in _COMPONENTS if k <= pca.n_components_]
    components = max(possible, key=lambda k: decibels(validation, project(pca, tune * lift, k)))
    cleaned = {
        "noisy": noisy,
        "median filter": median(noisy, window),
        "PCA": project(pca, noisy * lift, components),
        "autoencoder": model.reconstruct((noisy * lift).astype(np.float32)),
    }
    result: dict[str, Any] = {"window": window, "components": components}
    for name, output in cleaned.items():
        output = output.clip(0.0, 1.0)
        result[f"{name} psnr"] = decibels(data.X_test, output)
        result[f"{name} ssim"] = float(similarity(data.X_test, output).mean())
        if seed == 0:
            result[f"{name} images"] = pack(output[:_DRAWN])
    if seed == 0:
        result |= {"clean images": pack(data.X_test[:_DRAWN]), "side": data.side}
    return result


def add_noise(X: Array, noise: str, level: float, seed: int) -> Array:
    """Return noisy images; masked pixels are 0 and the others stay as they are."""
    options = {"rescale": False} if noise == "masking" else {}
    draw = torch.Generator().manual_seed(seed)
    noisy: Array = Noise(noise, level, options=options)(torch.from_numpy(X), draw).numpy()
    return noisy


def median(X: Array, window: int) -> Array:
    """Replace each pixel of (n, height, width) by the median of the square around it."""
    filtered: Array = median_filter(X, size=(1, window, window))
    return filtered


def project(pca: PCA, X: Array, components: int) -> Array:
    """Return images (n, height, width) from their first principal components alone."""
    axes = pca.components_[:components]
    centred = X.reshape(len(X), -1) - pca.mean_
    back: Array = ((centred @ axes.T) @ axes + pca.mean_).reshape(X.shape)
    return back


def decibels(X: Array, Y: Array) -> float:
    """Return the PSNR of all images together: an image that noise left alone has an infinite one.

    Examples
    --------
    >>> same, off = np.zeros((1, 4)), np.full((1, 4), 0.1)
    >>> round(decibels(np.zeros((2, 4)), np.concatenate([same, off])), 2)
    23.01
    """
    return float(psnr(X.reshape(1, -1), Y.reshape(1, -1))[0])


def similarity(X: Array, Y: Array) -> Array:
    """Return SSIM with its default window, or with one that fits into 8x8 images."""
    return ssim(X, Y) if X.shape[1] > 10 else ssim(X, Y, sigma=0.75, radius=2)


def show(records: list[Record]) -> Findings:
    """Compare the autoencoder with the better of the other two at every noise."""
    rows, wins, undecided = [], 0, 0
    groups = group(records, "data", "noise", "level")
    for (data, noise, level), runs in groups.items():
        for measure, unit in (("psnr", "PSNR, dB"), ("ssim", "SSIM")):
            measured = [spread(values(runs, f"{name} {measure}")) for name in METHODS]
            rows.append((f"{data}, {noise.replace('_', ' ')} {level:g}", unit, *measured))
        gain = margin(runs)
        wins += gain.mean > 0
        undecided += abs(gain.mean) <= gain.sd
    gains = {key: margin(runs) for key, runs in group(records, "data", "noise").items()}
    differences = "; ".join(
        f"{gain.mean:+.1f} ± {gain.sd:.1f} dB ({data}, {noise.replace('_', ' ')})"
        for (data, noise), gain in gains.items()
    )
    left = [
        f"{data}, {noise.replace('_', ' ')} {level:g}"
        for (data, noise, level), runs in groups.items()
        if spread(a - b for a, b in zip(*_two(runs, "autoencoder", "noisy"), strict=True)).mean <= 0
    ]
    close = f" ({undecided} of all are within the seeds' noise)" if undecided else ""
    but = f" but in {len(left)} of {len(groups)} cases ({'; '.join(left)})" if left else ""
    verdict = (
        f"An autoencoder reduces noise{but}, and has the higher PSNR than the better of median "
        f"filter and PCA in {wins} of {len(groups)} cases{close}; mean difference: {differences}."
    )
    columns = ("images and noise", "measure", "noisy image", *METHODS[1:])
    note = (
        f"{len(next(iter(groups.values())))} seeds, which draw the noise too. Higher is better. "
        "The level is the standard deviation of Gaussian noise, pixels being in 0..1, and the "
        "share of pixels otherwise. The median filter's window and the number of components are "
        "chosen on held-out training images with the same noise."
    )
    return Findings(
        verdict=verdict,
        holds=not left,
        tables=[Table(title="Noisy test images, cleaned", columns=columns, rows=rows, note=note)],
        pictures=pictures.draw(records, METHODS),
    )


def margin(records: list[Record]) -> Any:
    """Return how much the autoencoder's PSNR is above that of the better other, as a spread."""
    ours = values(records, "autoencoder psnr")
    others = zip(*_two(records, "median filter", "PCA"), strict=True)
    return spread(a - max(b) for a, b in zip(ours, others, strict=True))


def _two(records: list[Record], first: str, second: str) -> tuple[list[float], list[float]]:
    return values(records, f"{first} psnr"), values(records, f"{second} psnr")


LAB = Lab(
    name="denoising",
    title="Noise reduction",
    claim="Autoencoders reduce noise: one that is trained to give back the clean image from a "
    "noisy one cleans images that it never saw.",
    source="autoencoder lectures; noise as in Vincent et al., JMLR 11 (2010)",
    protocol={
        "images": "10,000 training and 2,000 test images of MNIST and Fashion-MNIST, in 0..1",
        "noise": "Gaussian of standard deviation 0.1, 0.25 and 0.5; 10, 25 and 50 % of the pixels "
        "set to 0 (masking), or to 0 or 1 (salt and pepper)",
        "autoencoder": "dense 784-1000-784, ReLU, binary cross-entropy, Adam at 2e-3 down to 0 by "
        "a cosine, 15 epochs, batch 128; trained with the noise that it is tested with",
        "baselines": "median filter of 3x3 or 5x5 pixels; the first 8 to 256 principal components "
        "of clean images; under masking, autoencoder and PCA are given the image divided by the "
        "share of pixels that is left",
        "measures": "PSNR of all test images together, and mean SSIM (Gaussian window, 11x11 "
        "pixels, deviation 1.5), after clipping to 0..1",
        "seeds": "3",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist", "fashion-mnist"),
)
