"""The 7x5 characters: the rows, the ways of training, errors in pixels, and their pictures."""

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
    "ADAM_TOLD",
    "DECK",
    "ONLINE",
    "ONLINE_TOLD",
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

ONLINE_TOLD = {
    "characters": "32 of 7x5 pixels, coded -1/+1; training set and test set are the same",
    "network": "dense, tanh after every layer, the output too; weights and biases from U(-1, 1)",
    "training": "online: one update a character, in an order shuffled once; momentum 0.8 of the "
    "last gradient alone; eta "
    "0.0005 on half the squared error",
    "error": "mean over characters of the mean over 35 pixels of the squared difference, "
    "-1/+1 coding",
}
"""The same in words."""

ADAM: Mapping[str, Any] = {
    "kind": "plain",
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

ADAM_TOLD = (
    "pixels coded 0/1, binary cross-entropy, sigmoid output; Adam from 0.01 down to 0 along a "
    "cosine, all rows a step; tanh inside, none after the code"
)
"""The same in words."""

_PROTOCOLS = {"online": ONLINE, "adam": ADAM}

# How many networks are trained side by side: what is done is written down after so many, and their
# histories stay small in memory.
_AT_ONCE = 64


class Trained:
    """A trained network that takes and gives -1/+1 coding, whatever coding it was trained on.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    unit : bool
        Whether its own rows are coded 0/1.
    """

    def __init__(self, model: Autoencoder, *, unit: bool) -> None:
        self.model, self.unit = model, unit

    def codes(self, rows: Array) -> Array:
        """Return the code (n, latents) of each row (n, 35)."""
        return self.model.transform(_to_unit(rows) if self.unit else rows)

    def decode(self, codes: Array) -> Array:
        """Return the row (n, 35) of each code (n, latents)."""
        rows = self.model.inverse_transform(codes)
        return 2 * rows - 1 if self.unit else rows

    def reconstruct(self, rows: Array) -> Array:
        """Return each row (n, 35) after encoding and decoding."""
        return self.decode(self.codes(rows))

    def error_curve(self, every: int) -> dict[str, list[float]]:
        """Return the error of epoch 1 and of every so many: mean over an epoch, before each step.

        Only for rows coded -1/+1 and losses summed over pixels.
        """
        history = self.model.history_
        epochs = sorted({1, *range(every, len(history) + 1, every)})
        errors = [round(history[n - 1].loss / 35, 4) for n in epochs]
        return {"epochs": [float(n) for n in epochs], "errors": errors}


def characters(names: str | None = None, *, part: str = "upper") -> tuple[Array, tuple[str, ...]]:
    """Return rows (n, 35) in -1/+1 and the name of each: all of a part, or those asked for."""
    font = load(f"font:{part}")
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


def nearest(rows: Array, output: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the character that each output is most like, and how many pixels differ.

    Parameters
    ----------
    rows : ndarray of shape (characters, 35)
        -1/+1.
    output : ndarray of shape (n, 35)
        Thresholded at 0.

    Returns
    -------
    place, pixels : ndarray of shape (n,)
        The first of the characters that are equally near.
    """
    different = np.sum((output[:, None] > 0) != (rows[None] > 0), axis=2)
    return different.argmin(axis=1), different.min(axis=1)


def fit_trials(trials: Sequence[Trial], rows: Array, measure: Measure | None = None) -> Ran:
    """Train what the trials' options describe, over those of their protocol, and measure it.

    Parameters
    ----------
    trials : sequence of Trial
        Options of an autoencoder over those of ``protocol``: ``online``, if it is not given, or
        ``adam``.
    rows : ndarray of shape (n, 35)
        -1/+1.
    measure : callable or None
        (trained, trial) -> what is to be kept; None: the errors on ``rows``. Nothing is measured
        of a network that diverged.
    """

    def errors(trained: Trained, trial: Trial) -> dict[str, Any]:
        return decode_errors(rows, trained.reconstruct(rows))

    for group in groups_of([_model(trial) for trial in trials]):
        for start in range(0, len(group), _AT_ONCE):
            own = [trials[place] for place in group[start : start + _AT_ONCE]]
            unit = _protocol(own[0]) == "adam"
            models = [_model(trial) for trial in own]
            for place, error in fit_many(models, _to_unit(rows) if unit else rows):
                result: dict[str, Any] = {"diverged": error is not None}
                if error is None:
                    trained = Trained(models[place], unit=unit)
                    result |= (measure or errors)(trained, own[place])
                yield own[place], result


def errors_and_curve(rows: Array, looks: int) -> Measure:
    """Return what measures the errors on ``rows``, and that of so many epochs of the training."""

    def measure(trained: Trained, trial: Trial) -> dict[str, Any]:
        every = max(1, trial.options["epochs"] // looks)
        return {**decode_errors(rows, trained.reconstruct(rows)), **trained.error_curve(every)}

    return measure


def of_protocol(records: Sequence[Record], name: str) -> list[Record]:
    """Return the records of trials with this protocol; ``online`` where none is given."""
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


def _to_unit(rows: Array) -> Array:
    return ((rows + 1) / 2).astype(np.float32)
