"""New MNIST images by kind of autoencoder and sampler: their distance from real ones.

The judge is that of the lab ``generation``: the squared Fréchet distance to 20,000 training images
in the embeddings of one fixed convolutional autoencoder, and how far the nearest training image is,
beside that of test images. Test images are the floor: no sample can be nearer than real images are
to one another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import cuello
from benchmarks.timing import Bar, Result, Settings
from cuello.kinds import KINDS
from cuello.metrics import mean_sd
from cuello_labs._fit import fit
from cuello_labs._images import images
from cuello_labs.generation import Judge

__all__ = ["CASES", "run"]

SEEDS = 3
LATENT_DIM = 16
CASES = (
    ("plain", "mixture"),
    ("denoising", "mixture"),
    ("variational", "prior"),
    ("variational", "mixture"),
    ("conditional", "prior"),
    ("conditional", "mixture"),
    ("wasserstein", "prior"),
    ("wasserstein", "mixture"),
    ("vector-quantised", "prior"),
    ("vector-quantised", "mixture"),
)
Measured = dict[tuple[str, str], list[dict[str, float]]]


def run(settings: Settings) -> Result:
    """Measure: a quarter of an hour on one thread."""
    try:
        cuello.load("mnist", offline=True)
    except cuello.DataError:
        return Result(name="samples", columns=(), rows=[], notes=["needs mnist."])
    torch.set_num_threads(1)
    data = images("mnist", 1000 if settings.quick else 20_000)
    judge = Judge(data, 1 if settings.quick else 5)
    count = 200 if settings.quick else 5_000
    measured: Measured = {}
    for seed in range(1 if settings.quick else SEEDS):
        real = data.X_test[np.random.default_rng(seed).permutation(len(data.X_test))[:count]]
        measured.setdefault(("test images", ""), []).append(judge.judge(real, False))
        models: dict[str, cuello.Autoencoder] = {}
        for kind, sampler in CASES:
            if kind not in models:
                models[kind] = _fitted(kind, data, seed, settings.quick)
            new = models[kind].sample(count, sampler, random_state=seed).clip(0.0, 1.0)
            measured.setdefault((kind, sampler), []).append(judge.judge(new, False))
    return _result(measured)


def _fitted(kind: str, data: Any, seed: int, quick: bool) -> cuello.Autoencoder:
    own = {"latent_dim": LATENT_DIM, "epochs": 1 if quick else 15, "random_state": seed}
    y = data.y if KINDS[kind].needs_labels else None
    return fit(cuello.Autoencoder(kind, **own), data.X, y=y)


def _result(measured: Measured) -> Result:
    floor = measured["test images", ""]
    rows: list[tuple[object, ...]] = []
    for (kind, sampler), found in measured.items():
        mean, sd = mean_sd(np.array([one["frechet"] for one in found]))
        ratios = [
            f"{np.mean([a[name] / b[name] for a, b in zip(found, floor, strict=True)]):.2f}"
            for name in ("nearest", "closest")
        ]
        rows.append((kind, sampler, f"{mean:.2f} ± {sd:.2f}", *ratios))
    copies = min(float(row[4]) for row in rows[1:])
    return Result(
        name="samples",
        columns=("images", "sampler", "Fréchet distance", "nearest", "closest 1 %"),
        rows=rows,
        bars=[
            Bar(
                what="least distance of the closest 1 % to training images, beside test images",
                value=copies,
                target="above 0.25: no copies",
                met=copies > 0.25,
            )
        ],
        notes=[
            f"{len(floor)} seeds, 20,000 training images without labels (conditional: with), "
            f"{LATENT_DIM} latents, 15 epochs, else all defaults; 5,000 samples each",
            "nearest, closest 1 %: distance to the nearest training image, median and 1 % "
            "quantile, divided by those of test images",
        ],
    )
