"""The 7x5 characters: the data, the training protocols, and errors in pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cuello.data import load
from cuello.estimators import Autoencoder
from cuello.estimators.many import fit_many, groups_of
from cuello.study.trials import Ran, Record, Trial

if TYPE_CHECKING:
    pass

__all__ = [
    "ADAM",
    "ADAM_TEXT",
    "DECK",
    "ONLINE",
    "ONLINE_TEXT",
    "Trained",
    "characters",
    "decode_errors",
    "errors_and_curve",
    "fit_trials",
    "mean_error",
    "nearest",
    "network_name",
    "of_protocol",
    "rate_of",
    "pixel_errors",
]

Array = npt.NDArray[Any]
Measure = Callable[["Trained", Trial], dict[str, Any]]

DECK = "course deck 'TP5: Autoencoders'"


def rate_of(eta: float) -> float:
    """Return the learning rate here that stands for the authors' eta and momentum of 0.8.

    Their delta rule follows the gradient of half the squared error, ours that of all of it. Their
    momentum adds 0.8 of the last gradient alone, which at small rates is a rate of 1.8 eta; one
    that accumulates, as ``torch.optim.SGD`` does, comes to 5 eta, and leaves errors of 0.50, 0.33
    and 0.22 where their program leaves 0.54, 0.43 and 0.31.

    Examples
    --------
    >>> round(rate_of(0.0005), 6)
    0.00045
    """
    return (1.0 + 0.8) * eta / 2


ONLINE: Mapping[str, Any] = {
    "kind": "plain",
    "linear_skip": False,
    "activation": "tanh",
    "latent_activation": "tanh",
    "output_activation": "tanh",
    "initializer": "uniform",
    "loss": "mse",
    "reduction": "sum",
    "optimizer": "sgd",
    "momentum": 0.0,  # see rate_of
    "learning_rate": rate_of(0.0005),
    "schedule": "constant",
    "batch_size": 1,
    "shuffle": "once",
    "scaling": "none",
    "validation_fraction": 0.0,
    "latent_dim": 2,
    "epochs": 1000,
}
"""The authors' protocol as options of an autoencoder."""

ONLINE_TEXT = {
    "characters": "32 of 7x5 pixels, values -1/+1; training set and test set are the same",
    "network": "dense, tanh after every layer, the output too; weights and biases from U(-1, 1)",
    "training": "online: one update a character, in an order shuffled once; momentum 0.8 of the "
    "last gradient alone; eta "
    "0.0005 on half the squared error",
    "error": "mean over characters of the mean over 35 pixels of the squared difference, "
    "values -1/+1",
}
"""The protocol in words."""

ADAM: Mapping[str, Any] = {
    "kind": "plain",
    "linear_skip": False,
    "activation": "tanh",
    "loss": "bce",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "schedule": "cosine",
    "scaling": "none",
    "validation_fraction": 0.0,
    "hidden": [20],
    "latent_dim": 2,
    "epochs": 3000,
}
"""A better protocol, for trials with ``protocol="adam"``: it takes the pixels as 0/1."""

ADAM_TEXT = (
    "pixel values 0/1, binary cross-entropy, sigmoid output; Adam from 0.01 down to 0 along a "
    "cosine, all samples a step; tanh inside, none after the latents"
)
"""The protocol in words."""

_PROTOCOLS = {"online": ONLINE, "adam": ADAM}

# Networks trained at once: finished trials are written after so many, and their histories stay
# small in memory.
_AT_ONCE = 64


class Trained:
    """A trained network with inputs and outputs in -1/+1, also if it was trained on 0/1.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    unit : bool
        Whether it was trained on pixels in 0/1.
    """

    def __init__(self, model: Autoencoder, *, unit: bool) -> None:
        self.model, self.unit = model, unit

    def embeddings(self, X: Array) -> Array:
        """Return the embedding (n, latents) of each character (n, 35)."""
        return self.model.transform(_to_unit(X) if self.unit else X)

    def decode(self, embeddings: Array) -> Array:
        """Return the character (n, 35) of each embedding (n, latents)."""
        X = self.model.inverse_transform(embeddings)
        return 2 * X - 1 if self.unit else X

    def reconstruct(self, X: Array) -> Array:
        """Return each character (n, 35) after encoding and decoding."""
        return self.decode(self.embeddings(X))

    def error_curve(self, every: int) -> dict[str, list[float]]:
        """Return the error of epoch 1 and of every so many: mean over an epoch, before each step.

        Only for pixels in -1/+1 and losses summed over pixels.
        """
        history = self.model.history_
        epochs = sorted({1, *range(every, len(history) + 1, every)})
        errors = [round(history[n - 1].loss / 35, 4) for n in epochs]
        return {"epochs": [float(n) for n in epochs], "errors": errors}


def characters(
    names: str | None = None, *, charset: str = "upper"
) -> tuple[Array, tuple[str, ...]]:
    """Return characters (n, 35) in -1/+1 and the name of each: all of a set, or those named."""
    font = load(f"font:{charset}")
    X = np.where(font.X.reshape(len(font.X), -1) > 0, 1.0, -1.0).astype(np.float32)
    assert font.y is not None
    labels = [font.classes[label] for label in font.y]
    if names is not None:
        indices = [labels.index(name) for name in names]
        X, labels = X[indices], [labels[index] for index in indices]
    return X, tuple(labels)


def mean_error(X: Array, output: Array) -> float:
    """Return the mean squared difference, over characters and pixels."""
    return float(np.mean((X - output) ** 2))


def pixel_errors(X: Array, output: Array) -> npt.NDArray[np.int64]:
    """Return the number of wrong pixels of each character after thresholding at 0."""
    wrong: npt.NDArray[np.int64] = np.sum((X > 0) != (output > 0), axis=1)
    return wrong


def decode_errors(X: Array, output: Array) -> dict[str, float]:
    """Return the error and the wrong pixels (mean and largest) of reconstructions."""
    wrong = pixel_errors(X, output)
    return {
        "error": mean_error(X, output),
        "wrong_mean": float(wrong.mean()),
        "wrong_max": int(wrong.max()),
    }


def nearest(X: Array, output: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the nearest character of each output, and the number of pixels that differ.

    Parameters
    ----------
    X : ndarray of shape (characters, 35)
        -1/+1.
    output : ndarray of shape (n, 35)
        Thresholded at 0.

    Returns
    -------
    indices, pixels : ndarray of shape (n,)
        Of equally near characters, the first.
    """
    different = np.sum((output[:, None] > 0) != (X[None] > 0), axis=2)
    return different.argmin(axis=1), different.min(axis=1)


def fit_trials(trials: Sequence[Trial], X: Array, measure: Measure | None = None) -> Ran:
    """Train the network of each trial's options, over those of its protocol, and measure it.

    Parameters
    ----------
    trials : sequence of Trial
        Options of an autoencoder over those of ``protocol``: ``online`` by default, or
        ``adam``.
    X : ndarray of shape (n, 35)
        -1/+1.
    measure : callable or None
        (trained, trial) -> its measures; None: the errors on ``X``. Nothing is measured
        of a network that diverged.
    """

    def errors(trained: Trained, trial: Trial) -> dict[str, Any]:
        return decode_errors(X, trained.reconstruct(X))

    for group in groups_of([_model(trial) for trial in trials]):
        for start in range(0, len(group), _AT_ONCE):
            batch = [trials[index] for index in group[start : start + _AT_ONCE]]
            unit = _protocol(batch[0]) == "adam"
            models = [_model(trial) for trial in batch]
            for index, error in fit_many(models, _to_unit(X) if unit else X):
                result: dict[str, Any] = {"diverged": error is not None}
                if error is None:
                    trained = Trained(models[index], unit=unit)
                    result |= (measure or errors)(trained, batch[index])
                yield batch[index], result


def errors_and_curve(X: Array, looks: int) -> Measure:
    """Return a measure of the errors on ``X``, with those of so many epochs of the training."""

    def measure(trained: Trained, trial: Trial) -> dict[str, Any]:
        every = max(1, trial.options["epochs"] // looks)
        return {**decode_errors(X, trained.reconstruct(X)), **trained.error_curve(every)}

    return measure


def of_protocol(records: Sequence[Record], name: str) -> list[Record]:
    """Return the records of trials with this protocol; ``online`` where none is named."""
    return [record for record in records if record["options"].get("protocol", "online") == name]


def network_name(hidden: Sequence[int], latents: int = 2) -> str:
    """Return the layers from the input to the output.

    Examples
    --------
    >>> network_name((20,))
    '35-20-2-20-35'
    """
    return "-".join(map(str, (35, *hidden, latents, *reversed(hidden), 35)))


def _model(trial: Trial) -> Autoencoder:
    options = {name: value for name, value in trial.options.items() if name != "protocol"}
    return Autoencoder(**{**_PROTOCOLS[_protocol(trial)], **options}, random_state=trial.seed)


def _protocol(trial: Trial) -> str:
    return str(trial.options.get("protocol", "online"))


def _to_unit(X: Array) -> Array:
    return ((X + 1) / 2).astype(np.float32)
