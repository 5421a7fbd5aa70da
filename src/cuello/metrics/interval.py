"""Confidence intervals for shares and means of a few samples."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from cuello.errors import InputError, unknown
from cuello.options import Range

__all__ = ["Interval", "accuracy_interval", "lower_bound", "mean_sd"]

_INTERVALS = ("wilson", "exact")
LEVELS = Range(0.0, 1.0, open_low=True, open_high=True)
"""Confidence levels. SciPy's own check lets 0 and 1 pass."""


class Interval(NamedTuple):
    """A share and its confidence interval; all in [0, 1]."""

    estimate: float
    low: float
    high: float


def accuracy_interval(
    right: int, n: int, *, level: float = 0.95, method: str = "wilson"
) -> Interval:
    """Return the confidence interval of an accuracy, measured on ``n`` samples.

    Parameters
    ----------
    right, n : int
        How many samples were classified rightly, of how many (1 or more).
    level : float
        How often such an interval holds the true accuracy, in (0, 1).
    method : str
        ``wilson``: that often on average, and the narrower one; ``exact``: at least that often,
        whatever the accuracy (Clopper and Pearson).

    Raises
    ------
    InputError
        If an argument is outside its range.

    Notes
    -----
    Wilson's score interval is the default because it always holds ``right / n``, stays inside 0..1,
    and needs no prior: Brown, Cai and DasGupta, "Interval estimation for a binomial proportion",
    Statistical Science 16 (2001). Its coverage dips below the level for some accuracies near 0 and
    1, so a guarantee rests on the exact interval: see :func:`lower_bound`.

    Examples
    --------
    >>> [round(value, 3) for value in accuracy_interval(90, 100)]
    [0.9, 0.826, 0.945]
    """
    _check_counts(right, n, level)
    if method not in _INTERVALS:
        raise unknown("method", method, _INTERVALS)
    return Interval(right / n, *_binomial_bounds(right, n, level, method, "two-sided"))


def lower_bound(right: int, n: int, *, level: float = 0.95) -> float:
    """Return the exact lower confidence bound of an accuracy: of n samples, 1 or more, some right.

    The one-sided bound of Clopper and Pearson, "The use of confidence or fiducial limits
    illustrated in the case of the binomial", Biometrika 26 (1934). ``level`` is the confidence that
    the accuracy is not below it, in (0, 1); an argument outside its range is an InputError.

    Examples
    --------
    >>> round(lower_bound(59, 59), 3), round(lower_bound(58, 59), 3)
    (0.95, 0.922)
    """
    _check_counts(right, n, level)
    return _binomial_bounds(right, n, level, "exact", "greater")[0]


@lru_cache(maxsize=4096)  # SciPy takes 1 to 5 ms, and thresholds ask for the same counts again
def _binomial_bounds(
    right: int, n: int, level: float, method: str, alternative: Literal["two-sided", "greater"]
) -> tuple[float, float]:
    bounds = binomtest(right, n, alternative=alternative).proportion_ci(level, method)
    return float(bounds.low), float(bounds.high)


def _check_counts(right: int, n: int, level: float) -> None:
    if n < 1:
        raise InputError(argument="n", value=n, allowed="1 or more samples")
    if not 0 <= right <= n:
        raise InputError(argument="right", value=right, allowed=f"from 0 to n={n}")
    LEVELS.check("level", level)


def mean_sd(values: npt.ArrayLike) -> tuple[float, float]:
    """Return the mean and the sample standard deviation (0 for a single value)."""
    v = np.asarray(values, dtype=np.float64)
    return float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else 0.0
