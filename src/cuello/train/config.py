"""The options of a training: the one place that defines them.

Signatures, checks, command line and docs read name, type, default, allowed values and help of an
option from its field in :class:`TrainingConfig`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from cuello.arrays import Floats
from cuello.errors import Argument, InputError, Use
from cuello.options import Option, Range, Seconds, read_options
from cuello.registry import Registry
from cuello.train.muon import Muon
from cuello.train.optimizers import SGD, Adam, AdamW, GroupedOptimizer, RMSprop

__all__ = [
    "ADAPTIVE_EPOCHS",
    "OPTIMIZERS",
    "PRECISIONS",
    "SCHEDULES",
    "SHUFFLES",
    "TrainingConfig",
    "adapted_rate",
    "training_options",
]

SHUFFLES = ("always", "once", "never")

PRECISIONS = ("auto", "bf16", "float32")

OPTIMIZERS: Registry[Callable[..., GroupedOptimizer]] = Registry("optimizer")
"""Functions of parameter groups, ``lr``, ``momentum`` and ``weight_decay``."""

OPTIMIZERS.add("adam", Adam)
OPTIMIZERS.add("adamw", AdamW)
OPTIMIZERS.add("muon", Muon)
OPTIMIZERS.add("rmsprop", RMSprop)
OPTIMIZERS.add("sgd", SGD)

SCHEDULES: Registry[Callable[[float], float]] = Registry("schedule")
"""Factors on the learning rate by progress in [0, 1): no state, so resuming needs none."""

SCHEDULES.add("constant", lambda progress: 1.0)
SCHEDULES.add("constant_linear", lambda progress: min(1.0, 3.0 * (1.0 - progress)))
SCHEDULES.add("cosine", lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)))
SCHEDULES.add("linear", lambda progress: 1.0 - progress)
SCHEDULES.add("step", lambda progress: 0.1 ** int(progress * 3))
SCHEDULES.add("adaptive", lambda progress: 1.0)  # see adapted_rate

ADAPTIVE_EPOCHS = 5
"""Epochs in a row after which an adaptive rate changes: more than 4."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Hold the options of a training.

    Parameters
    ----------
    optimizer : str
        ``adam``, ``adamw``, ``rmsprop``, ``sgd``, or ``muon``, which moves matrices by orthogonal
        steps (:class:`~cuello.train.muon.Muon`) and wants a learning rate near 0.05.
    learning_rate : float
        Learning rate, above 0.
    momentum : float
        Momentum of ``sgd``, ``rmsprop`` and ``muon``, in [0, 1).
    weight_decay : float
        Weight decay, at least 0; decoupled from the gradient in ``adamw`` and ``muon`` only.
    schedule : str
        Learning rate over time: ``constant``, ``constant_linear`` (to 0 in the last third),
        ``cosine`` (to 0), ``linear`` (to 0), ``step`` (a tenth after each third), or ``adaptive``:
        up while the training loss falls, down while it rises
        (:func:`~cuello.train.config.adapted_rate`).
    warm_up : float
        Share of all steps over which the learning rate first rises from 0, in [0, 1).
    epochs : int
        Passes over the training samples, at least 1. An estimator also takes ``auto``: about
        4,000 steps, in at most 300 passes.
    batch_size : int
        Samples a step, at least 1. An estimator also takes ``auto``: 128, fewer of samples
        of more than 31,250 elements, or all if there are fewer.
    shuffle : str
        Order of the samples: a new one in every epoch (``always``), one for all epochs (``once``),
        or the order of the data (``never``).
    patience : int or None
        Stop after this many epochs without a better validation loss; None trains to the end.
    max_time : float or None
        Seconds that the training may take, above 0. Its schedule then ends with the last epoch that
        fits, at the pace so far; one epoch is always trained. None: no limit.
    gradient_clip : float or None
        Largest norm of the gradient; None does not clip.
    device : str
        ``auto`` (a GPU if there is one), or a PyTorch device name.
    precision : str
        ``auto``, ``float32`` or ``bf16`` (matrix products in bfloat16, weights in float32).
    seed : int
        Seed of the order of the samples, of noise and of dropout.

    Raises
    ------
    InputError
        If a value is outside its range.

    Examples
    --------
    >>> TrainingConfig(learning_rate=-1.0)
    Traceback (most recent call last):
    ...
    cuello.errors.InputError: learning_rate=-1.0 must be a finite number, above 0; use
    learning_rate=0.001.
    """

    optimizer: Annotated[str, OPTIMIZERS] = "adam"
    learning_rate: Annotated[float, Range(0.0, open_low=True)] = 1e-3
    momentum: Annotated[float, Range(0.0, 1.0, open_high=True)] = 0.9
    weight_decay: Annotated[float, Range(0.0)] = 0.0
    schedule: Annotated[str, SCHEDULES] = "cosine"
    warm_up: Annotated[float, Range(0.0, 1.0, open_high=True)] = 0.0
    epochs: Annotated[int, Range(1)] = 30
    batch_size: Annotated[int, Range(1)] = 128
    shuffle: Annotated[str, SHUFFLES] = "always"
    patience: Annotated[int | None, Range(1)] = None
    max_time: Annotated[float | None, Seconds(0.0, open_low=True)] = None
    gradient_clip: Annotated[float | None, Range(0.0, open_low=True)] = None
    device: str = "auto"
    precision: Annotated[str, PRECISIONS] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        config: Any = type(self)
        for name, option in training_options(config).items():
            option.check(getattr(self, name))
        if self.warm_up and self.schedule == "adaptive":
            raise InputError(
                ["does not go with ", Argument("schedule", "adaptive"), ", which finds its rate"],
                argument="warm_up",
                value=self.warm_up,
                remedy=Use("warm_up", 0.0),
            )

    def rate_factor(self, progress: float) -> float:
        """Return the factor on the learning rate after this share of all steps."""
        if progress < self.warm_up:
            return progress / self.warm_up
        return SCHEDULES[self.schedule]((progress - self.warm_up) / (1.0 - self.warm_up))

    def build_optimizer(self, groups: Any) -> GroupedOptimizer:
        """Return a new optimizer of these parameters, or parameter groups."""
        build = OPTIMIZERS[self.optimizer]
        rate, decay = self.learning_rate, self.weight_decay
        return build(groups, lr=rate, momentum=self.momentum, weight_decay=decay)


@functools.cache
def training_options(config: Any = TrainingConfig) -> dict[str, Option]:
    """Return the options of a training, in their order."""
    return read_options(config)


def adapted_rate(rate: npt.ArrayLike, first: npt.ArrayLike, losses: npt.ArrayLike) -> Floats:
    """Return the learning rates (N,) of the next epoch where they follow the training loss.

    After more than 4 epochs in a row in which the loss fell, a tenth of the first rate is added;
    after more than 4 in which it rose, the present rate times a tenth of the first is subtracted.
    A run of falls goes on after it was answered: each further fall adds again. No state is needed
    but the last ``losses``, (epochs, N), oldest first. One network may do without N.
    """
    present, start = np.asarray(rate, dtype=np.float64), np.asarray(first, dtype=np.float64)
    steps = np.diff(np.asarray(losses, dtype=np.float64)[-ADAPTIVE_EPOCHS - 1 :], axis=0)
    if len(steps) < ADAPTIVE_EPOCHS:
        return present
    falls, rises = np.all(steps < 0, axis=0), np.all(steps > 0, axis=0)
    adapted: Floats = present + 0.1 * start * (falls - present * rises)
    return adapted
