"""Everything that decides how a model is trained, as one plain record."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cuello.errors import InputError, unknown
from cuello.train.muon import Muon

__all__ = [
    "OPTIMIZERS",
    "PRECISIONS",
    "RUN",
    "SCHEDULES",
    "SHUFFLES",
    "TrainingConfig",
    "adapted_rate",
]


def _sgd(groups: Any, config: TrainingConfig) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        groups,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        fused=True,
    )


def _adam(groups: Any, config: TrainingConfig) -> torch.optim.Optimizer:
    return torch.optim.Adam(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )


def _adamw(groups: Any, config: TrainingConfig) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )


def _rmsprop(groups: Any, config: TrainingConfig) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(  # has no fused form
        groups,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        foreach=True,
    )


def _muon(groups: Any, config: TrainingConfig) -> torch.optim.Optimizer:
    return Muon(
        groups, lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
    )


OPTIMIZERS: dict[str, Callable[[Iterable[Any], TrainingConfig], torch.optim.Optimizer]] = {
    "adam": _adam,
    "adamw": _adamw,
    "muon": _muon,
    "rmsprop": _rmsprop,
    "sgd": _sgd,
}

SCHEDULES: dict[str, Callable[[float], float]] = {
    # Factor on the learning rate by progress in [0, 1): no state, so resuming needs none.
    "constant": lambda progress: 1.0,
    "constant_linear": lambda progress: min(1.0, 3.0 * (1.0 - progress)),
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
    "linear": lambda progress: 1.0 - progress,
    "step": lambda progress: 0.1 ** int(progress * 3),
    "adaptive": lambda progress: 1.0,  # see adapted_rate
}

SHUFFLES = ("always", "once", "never")

PRECISIONS = ("auto", "bf16", "float32")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train.

    Parameters
    ----------
    optimizer : str
        ``adam``, ``adamw``, ``rmsprop``, ``sgd``, or ``muon``, which moves matrices by orthogonal
        steps (:class:`~cuello.train.muon.Muon`) and wants a rate near 0.05.
    learning_rate : float
        Above 0.
    momentum : float
        For ``sgd``, ``rmsprop`` and ``muon``, in [0, 1).
    weight_decay : float
        At least 0; decoupled from the gradient in ``adamw`` and ``muon`` only.
    schedule : str
        ``constant``, ``constant_linear`` (to 0 in the last third), ``cosine`` (to 0), ``linear``
        (to 0), ``step`` (a tenth after each third), or ``adaptive``: up while the training loss
        falls, down while it rises, see :func:`adapted_rate`.
    warm_up : float
        Share of all steps over which the rate first rises from 0, in [0, 1).
    epochs : int
        Passes over the training rows, at least 1.
    batch_size : int
        Rows a step, at least 1.
    shuffle : str
        Order of the rows: a new one in every epoch (``always``), one for all of them (``once``), or
        as they are given (``never``).
    patience : int or None
        Stop after this many epochs without a better validation loss; None trains to the end.
    gradient_clip : float or None
        Largest norm of the gradient; None leaves it.
    device : str
        ``auto`` (a GPU if there is one), or a PyTorch device name.
    precision : str
        ``auto``, ``float32`` or ``bf16`` (matrix products in bfloat16, weights in float32).
    seed : int
        Order of the rows, noise and dropout follow from it.

    Raises
    ------
    InputError
        If a value is outside its range.

    Examples
    --------
    >>> TrainingConfig(learning_rate=-1.0)
    Traceback (most recent call last):
    ...
    cuello.errors.InputError: learning_rate=-1.0 must be above 0; 0.001 is a good start for adam.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warm_up: float = 0.0
    epochs: int = 30
    batch_size: int = 128
    shuffle: str = "always"
    patience: int | None = None
    gradient_clip: float | None = None
    device: str = "auto"
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for what, value, known in (
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("schedule", self.schedule, SCHEDULES),
            ("precision", self.precision, PRECISIONS),
            ("shuffle", self.shuffle, SHUFFLES),
        ):
            if value not in known:
                raise unknown(what, value, known)
        above, share = "must be above 0", "must be in [0, 1)"
        for name, fine, allowed in (
            (
                "learning_rate",
                0.0 < self.learning_rate < math.inf,
                f"{above}; 0.001 is a good start for adam",
            ),
            ("momentum", 0.0 <= self.momentum < 1.0, f"{share}; 0.9 is usual"),
            ("weight_decay", 0.0 <= self.weight_decay < math.inf, "must be at least 0"),
            ("warm_up", 0.0 <= self.warm_up < 1.0, f"{share}: a share of all steps"),
            (
                "warm_up",
                self.warm_up == 0.0 or self.schedule != "adaptive",
                "does not go with schedule='adaptive', which finds its own rate; leave it at 0",
            ),
            ("epochs", self.epochs >= 1, "must be at least 1"),
            ("batch_size", self.batch_size >= 1, "must be at least 1"),
            (
                "patience",
                self.patience is None or self.patience >= 1,
                "must be at least 1, or None to train to the end",
            ),
            (
                "gradient_clip",
                self.gradient_clip is None or self.gradient_clip > 0.0,
                f"{above}, or None for no clipping",
            ),
        ):
            if not fine:
                raise InputError(f"{name}={getattr(self, name)!r} {allowed}.")

    def rate_factor(self, progress: float) -> float:
        """Return the factor on the learning rate after this share of all steps."""
        if progress < self.warm_up:
            return progress / self.warm_up
        return SCHEDULES[self.schedule]((progress - self.warm_up) / (1.0 - self.warm_up))


RUN = 5
"""Epochs in a row after which an adaptive rate changes: more than 4."""


def adapted_rate(
    rate: npt.ArrayLike, first: npt.ArrayLike, losses: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the learning rate of the next epoch where it follows the training loss.

    After more than 4 epochs in a row in which the loss fell, a tenth of the first rate is added;
    after more than 4 in which it rose, the present rate times a tenth of the first is taken away.
    A run goes on after it was answered: each further fall adds again. No state is needed but the
    last losses.

    Parameters
    ----------
    rate : float or (N,)
        That of the last epoch, for one network or for each of N.
    first : float or (N,)
        That of the first epoch.
    losses : (epochs,) or (epochs, N)
        Mean training losses, oldest first; only the last ``RUN + 1`` are looked at.

    Examples
    --------
    >>> print(adapted_rate(0.5, 0.5, [6, 5, 4, 3, 2, 1]))
    0.55
    >>> print(adapted_rate(0.5, 0.5, [1, 2, 3, 4, 5, 6]), adapted_rate(0.5, 0.5, [3, 2, 1]))
    0.475 0.5
    """
    present, start = np.asarray(rate, dtype=np.float64), np.asarray(first, dtype=np.float64)
    steps = np.diff(np.asarray(losses, dtype=np.float64)[-RUN - 1 :], axis=0)
    if len(steps) < RUN:
        return present
    falls, rises = np.all(steps < 0, axis=0), np.all(steps > 0, axis=0)
    adapted: npt.NDArray[np.float64] = present + 0.1 * start * (falls - present * rises)
    return adapted
