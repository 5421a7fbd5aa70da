"""The 7x5 characters: the rows, the authors' way of training, and errors in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.data import load
from cuello.estimators import Autoencoder
from cuello.estimators.many import fit_many
from cuello.study.trials import Ran, Trial

__all__ = ["ONLINE", "characters", "decode_errors", "fit_trials", "mean_error", "pixel_errors"]

Array = npt.NDArray[Any]

# Their delta rule follows the gradient of half the squared error, ours that of all of it: a rate of
# eta there is eta / 2 here.
ONLINE: Mapping[str, Any] = {
    "kind": "plain",
    "activation": "tanh",
    "code_activation": "tanh",
    "output_activation": "tanh",
    "initializer": "uniform",
    "loss": "mse",
    "reduction": "sum",
    "optimizer": "sgd",
    "momentum": 0.8,
    "learning_rate": 0.0005 / 2,
    "schedule": "constant",
    "batch_size": 1,
    "shuffle": "once",
    "scaling": "none",
    "validation_fraction": 0.0,
    "latent_dim": 2,
    "epochs": 1000,
}
"""The authors' protocol as options of an autoencoder."""

ONLINE_TOLD = {
    "characters": "32 of 7x5 pixels, coded -1/+1; training set and test set are the same",
    "network": "dense, tanh after every layer, the output too; weights and biases from U(-1, 1)",
    "training": "online: one update a character, in an order shuffled once; momentum 0.8; eta "
    "0.0005 on half the squared error",
    "error": "mean over characters of the mean over 35 pixels of the squared difference, "
    "-1/+1 coding",
}
"""The same in words."""


def characters(names: str | None = None) -> tuple[Array, tuple[str, ...]]:
    """Return rows (n, 35) in -1/+1 and the name of each: all 32, or those that are asked for."""
    font = load("font")
    rows = np.where(font.X.reshape(len(font.X), -1) > 0, 1.0, -1.0).astype(np.float32)
    assert font.y is not None
    own = [font.classes[code] for code in font.y]
    if names is not None:
        places = [own.index(name) for name in names]
        rows, own = rows[places], [own[place] for place in places]
    return rows, tuple(own)


def mean_error(rows: Array, output: Array) -> float:
    """Return the mean squared difference, over rows and pixels."""
    return float(np.mean((rows - output) ** 2))


def pixel_errors(rows: Array, output: Array) -> npt.NDArray[np.int64]:
    """Return how many pixels of each row are wrong after thresholding at 0."""
    wrong: npt.NDArray[np.int64] = np.sum((rows > 0) != (output > 0), axis=1)
    return wrong


def decode_errors(rows: Array, output: Array) -> dict[str, float]:
    """Return the error and the wrong pixels (mean and largest) of reconstructions."""
    wrong = pixel_errors(rows, output)
    return {
        "error": mean_error(rows, output),
        "wrong_mean": float(wrong.mean()),
        "wrong_max": int(wrong.max()),
    }


def fit_trials(trials: list[Trial], rows: Array) -> Ran:
    """Train what each trial's options (over :data:`ONLINE`) describe, and measure its errors."""
    models = [
        Autoencoder(**{**ONLINE, **trial.options}, random_state=trial.seed) for trial in trials
    ]
    for place, error in fit_many(models, rows):
        result: dict[str, Any] = {"diverged": error is not None}
        if error is None:
            result |= decode_errors(rows, models[place].reconstruct(rows))
        yield trials[place], result
