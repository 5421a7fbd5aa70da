"""How far a number from few rows can be trusted."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri

from cuello.errors import InputError

__all__ = ["Interval", "accuracy_interval", "lower_bound", "mean_sd", "stratified_interval"]


class Interval(NamedTuple):
    """A share, and the range that it may well lie in; all in [0, 1]."""

    estimate: float
    low: float
    high: float


def accuracy_interval(
    right: int, n: int, *, level: float = 0.95, method: str = "wilson"
) -> Interval:
    """Return the interval for an accuracy of which ``right`` out of ``n`` rows are a sample.

    Parameters
    ----------
    right, n : int
        How many rows were classified rightly, of how many (1 or more).
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
    and needs no prior; for few rows Brown, Cai and DasGupta, "Interval estimation for a binomial
    proportion", Statistical Science 16 (2001), recommend it or that of Jeffreys, which leaves
    ``right / n`` out where nothing or everything is right, unless it is mended there. Its price is
    a coverage that dips below the level for some accuracies near 0 and 1. A promise
    therefore rests on the exact interval: see :func:`lower_bound`.

    Examples
    --------
    >>> [round(value, 3) for value in accuracy_interval(90, 100)]
    [0.9, 0.826, 0.945]
    >>> [round(value, 3) for value in accuracy_interval(90, 100, method="exact")]
    [0.9, 0.824, 0.951]
    """
    _check(right, n, level)
    if method == "wilson":
        return _wilson(right / n, n, level)
    if method != "exact":
        raise InputError(f"method={method!r} is not known; use 'wilson' or 'exact'.")
    above = lower_bound(n - right, n, level=(1 + level) / 2)
    return Interval(right / n, lower_bound(right, n, level=(1 + level) / 2), 1.0 - above)


def lower_bound(right: int, n: int, *, level: float = 0.95) -> float:
    """Return what the accuracy is at least, with confidence ``level``: exact, for any accuracy.

    The one-sided bound of Clopper and Pearson, "The use of confidence or fiducial limits
    illustrated in the case of the binomial", Biometrika 26 (1934).

    Parameters
    ----------
    right, n : int
        How many rows were classified rightly, of how many (1 or more).
    level : float
        In (0, 1).

    Examples
    --------
    >>> round(lower_bound(59, 59), 3), round(lower_bound(58, 59), 3)
    (0.95, 0.922)
    """
    _check(right, n, level)
    return float(betaincinv(right, n - right + 1, 1.0 - level)) if right else 0.0


def stratified_interval(
    right: npt.ArrayLike, n: npt.ArrayLike, proportions: npt.ArrayLike, *, level: float = 0.95
) -> Interval:
    """Return the interval for the accuracy in a population of which the classes were sampled apart.

    Labels drawn equally per class say too much of rare classes: here each class counts as often as
    it occurs.

    Parameters
    ----------
    right, n : array-like of int, shape (C,)
        Rows of each class classified rightly, of how many.
    proportions : array-like of float, shape (C,)
        How often each class occurs where the accuracy is to hold; scaled to sum to 1.
    level : float
        In (0, 1).

    Raises
    ------
    InputError
        If an argument is outside its range, or a class that occurs has no row.

    Notes
    -----
    The estimate is ``sum w_c k_c / n_c``. If all classes were equally hard, its variance would be
    that of ``1 / sum(w_c² / n_c)`` rows drawn at random (Kish, Survey Sampling, 1965), for which
    Wilson's interval is taken. With labels drawn in the proportions themselves that number is the
    number of rows, and the interval that of :func:`accuracy_interval`. Where some classes are
    harder than others it is rather too wide than too narrow, unless the hard classes are those
    whose rows count most.

    Examples
    --------
    >>> [round(value, 3) for value in stratified_interval([50, 40], [50, 50], [0.9, 0.1])]
    [0.98, 0.907, 0.996]
    """
    k, m, w = (np.asarray(a, dtype=np.float64) for a in (right, n, proportions))
    if not k.shape == m.shape == w.shape or k.ndim != 1 or not len(k):
        raise InputError(
            f"right, n and proportions have shapes {k.shape}, {m.shape} and {w.shape}; give one "
            "number a class each."
        )
    if not (np.isfinite(w).all() and (w >= 0).all() and w.sum() > 0):
        raise InputError(f"proportions={w.tolist()} must be 0 or more, and not all 0.")
    occurs = w > 0
    if (m[occurs] < 1).any():
        raise InputError(
            f"n={m.astype(int).tolist()}: a class that occurs has no row to measure it on; label "
            "one row of it, or give it the proportion 0."
        )
    for one, of in zip(k[occurs], m[occurs], strict=True):
        _check(int(one), int(of), level)
    k, m, w = k[occurs], m[occurs], w[occurs] / w.sum()
    return _wilson(float(w @ (k / m)), float(1.0 / (w**2 / m).sum()), level)


def _wilson(share: float, n: float, level: float) -> Interval:
    """Equation 4 of Brown, Cai and DasGupta (2001)."""
    z = float(ndtri((1 + level) / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At 0 and 1 the bound is the share itself, but for rounding.
    return Interval(share, max(min(centre - half, share), 0.0), min(max(centre + half, share), 1.0))


def _check(right: int, n: int, level: float) -> None:
    if n < 1:
        raise InputError(f"n={n} must be 1 or more: without rows there is no accuracy.")
    if not 0 <= right <= n:
        raise InputError(f"right={right} must be from 0 to n={n}.")
    if not 0.0 < level < 1.0:
        raise InputError(f"level={level} must be above 0 and below 1, for example 0.95.")


def mean_sd(values: npt.ArrayLike) -> tuple[float, float]:
    """Return the mean and the sample standard deviation (0 for a single value).

    Examples
    --------
    >>> mean_sd([1.0, 3.0])
    (2.0, 1.4142135623730951)
    """
    v = np.asarray(values, dtype=np.float64)
    return float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else 0.0
