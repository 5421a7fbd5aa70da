"""Measure the likelihood of test images under a variational autoencoder, beside a published one.

Target: at most 89.8 nats on statically binarized MNIST with 200 importance samples. Published: 89.9
(Rezende and Mohamed 2015, arXiv:1505.05770, diagonal covariance), and 89.78 in pythae's
reproduction, with this network in more than a thousand epochs.
"""

from __future__ import annotations

import math
import time

import numpy as np
import numpy.typing as npt

import cuello
from benchmarks.timing import Bar, Result, Settings
from benchmarks.workload import FEATURES, images

__all__ = ["run"]

_TARGET, _SAMPLES = 89.8, 200
_HIDDEN, _LATENT = 400, 40
# Rate, batch norm and draws an image were chosen on the last 5,000 training images.
_RATE, _BATCH, _DRAWS, _EPOCHS = 3e-3, 100, 5, 400


def run(settings: Settings) -> Result:
    """Measure."""
    x, source = images(settings.rows)
    test = _test_images() if source == "MNIST" else x[:1000]
    if settings.quick:
        test = test[:200]
    epochs = 2 if settings.quick else _EPOCHS
    model = cuello.Autoencoder(
        "variational",
        kind_options={"samples": _DRAWS},
        hidden=(_HIDDEN,),
        latent_dim=_LATENT,
        batch_norm=True,
        scaling="none",
        learning_rate=_RATE,
        batch_size=_BATCH,
        epochs=epochs,
        validation_fraction=0.0,
    )
    started = time.perf_counter()
    model.fit(binarized(x, seed=0))
    trained = time.perf_counter()
    nats = -model.log_likelihood(binarized(test, seed=1), _SAMPLES)
    measured = time.perf_counter()
    value = float(nats.mean())
    bar = Bar(
        what=f"nats a test image with {_SAMPLES} importance samples",
        value=value,
        target=f"at most {_TARGET:g}",
        met=value <= _TARGET,
    )
    return Result(
        name="likelihood",
        columns=(
            "epochs",
            "nats a training image, bound",
            "nats a test image",
            "standard error",
            "active latents",
            "training, s",
            "measuring, s",
        ),
        rows=[
            (
                epochs,
                math.fsum(model.history_[-1].train.values()),
                value,
                float(nats.std() / math.sqrt(len(nats))),
                model.diagnosis_.statistics["active_latents"],
                trained - started,
                measured - trained,
            )
        ],
        bars=[bar] if source == "MNIST" else [],
        notes=[
            f"{len(x)} images of {source} to train on and {len(test)} to test; each pixel was "
            "drawn once, as 1 with the probability of its grey value.",
            f"Dense {FEATURES}-{_HIDDEN}-{_LATENT}-{_HIDDEN}-{FEATURES} with batch norm, "
            f"Bernoulli, importance-weighted bound of {_DRAWS} draws of z an image and step; "
            f"Adam from {_RATE:g} by a cosine to 0, batch {_BATCH}.",
        ],
    )


def binarized(x: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32]:
    """Draw each pixel once: 1 with the probability of its grey value."""
    chance = np.random.default_rng(seed).random(x.shape, dtype=np.float32)
    return (chance < x).astype(np.float32)


def _test_images() -> npt.NDArray[np.float32]:
    test = cuello.load("mnist", offline=True).X_test
    assert test is not None
    return test.reshape(len(test), FEATURES).astype(np.float32) / 255.0
