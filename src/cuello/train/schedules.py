"""Learning rates over a training."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cuello.arrays import Floats
from cuello.registry import Registry

__all__ = ["ADAPTIVE_EPOCHS", "SCHEDULES", "adapted_rate"]

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


def adapted_rate(rate: npt.ArrayLike, first: npt.ArrayLike, losses: npt.ArrayLike) -> Floats:
    """Return the learning rate of the next epoch where it follows the training loss.

    After more than 4 epochs in a row in which the loss fell, a tenth of the first rate is added;
    after more than 4 in which it rose, the present rate times a tenth of the first is subtracted.
    A run of falls goes on after it was answered: each further fall adds again. No state is needed
    but the last losses.

    Parameters
    ----------
    rate : float or (N,)
        That of the last epoch, for one network or for each of N.
    first : float or (N,)
        That of the first epoch.
    losses : (epochs,) or (epochs, N)
        Mean training losses, oldest first; only the last ``ADAPTIVE_EPOCHS + 1`` are looked at.

    Examples
    --------
    >>> print(adapted_rate(0.5, 0.5, [6, 5, 4, 3, 2, 1]))
    0.55
    >>> print(adapted_rate(0.5, 0.5, [1, 2, 3, 4, 5, 6]), adapted_rate(0.5, 0.5, [3, 2, 1]))
    0.475 0.5
    """
    present, start = np.asarray(rate, dtype=np.float64), np.asarray(first, dtype=np.float64)
    steps = np.diff(np.asarray(losses, dtype=np.float64)[-ADAPTIVE_EPOCHS - 1 :], axis=0)
    if len(steps) < ADAPTIVE_EPOCHS:
        return present
    falls, rises = np.all(steps < 0, axis=0), np.all(steps > 0, axis=0)
    adapted: Floats = present + 0.1 * start * (falls - present * rises)
    return adapted
