"""From the records of trials to one table: mean, standard deviation, confidence interval."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from cuello.study.trials import Record

__all__ = ["Spread", "group", "sign_of_difference", "spread", "values"]


_ROUNDING_SHARE = 1e-12
"""Deviation, as a share of the mean, that is the rounding of equal numbers."""


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing.

    Parameters
    ----------
    mean, sd : float
        Mean, and sample standard deviation (0 for one value); NaN where nothing was measured.
    low, high : float
        95 % confidence interval of the mean, by Student's t; NaN for fewer than two values.
    count : int
        How many values, those that are not finite left out.
    left_out : int
        How many were not finite.
    """

    mean: float
    sd: float
    low: float
    high: float
    count: int
    left_out: int = 0

    @property
    def standard_error(self) -> float:
        """Standard deviation of the mean."""
        return self.sd / math.sqrt(self.count) if self.count else math.nan

    def __str__(self) -> str:
        if not self.count:
            return "–"
        if self.count == 1 or self.sd <= _ROUNDING_SHARE * abs(self.mean):
            return f"{self.mean:.4g}"
        # Two digits of the deviation say how many of the mean mean anything.
        decimals = max(0, 1 - math.floor(math.log10(self.sd)))
        if decimals > 6:
            return f"{self.mean:.1e} ± {self.sd:.0e}"
        return f"{self.mean:,.{decimals}f} ± {self.sd:,.{decimals}f}"


def spread(measured: Iterable[float | None]) -> Spread:
    """Return mean, standard deviation and confidence interval of some values.

    Examples
    --------
    >>> print(spread([1.0, 2.0, 3.0]))
    2.0 ± 1.0
    >>> s = spread([1.0, 2.0, 3.0, float("nan")])
    >>> round(s.low, 3), round(s.high, 3), s.count, s.left_out
    (-0.484, 4.484, 3, 1)
    """
    every = np.array([math.nan if v is None else v for v in measured], dtype=np.float64)
    finite = every[np.isfinite(every)]
    n = len(finite)
    if n == 0:
        return Spread(math.nan, math.nan, math.nan, math.nan, 0, len(every))
    mean, sd = float(finite.mean()), float(finite.std(ddof=1)) if n > 1 else 0.0
    half = float(stats.t.ppf(0.975, n - 1)) * sd / math.sqrt(n) if n > 1 else math.nan
    return Spread(mean, sd, mean - half, mean + half, n, len(every) - n)


def sign_of_difference(a: Spread, b: Spread) -> int:
    """Return 1 if the mean of ``a`` is above that of ``b``, -1 if below, 0 if noise hides it.

    Welch's t-test at 5 %. Single values, which have no deviation, count as exact.

    Examples
    --------
    >>> low, high = spread([1.0, 2.0, 3.0]), spread([7.0, 8.0, 9.0])
    >>> sign_of_difference(low, high), sign_of_difference(high, low)
    (-1, 1)
    >>> sign_of_difference(low, spread([1.5, 2.5, 3.5]))
    0
    """
    if not (a.count and b.count):
        return 0
    difference = a.mean - b.mean
    squares = [(s.standard_error**2, s.count) for s in (a, b)]
    error = math.sqrt(sum(square for square, _ in squares))
    if error > 0.0:
        freedom = error**4 / sum(square**2 / (n - 1) for square, n in squares if n > 1)
        if abs(difference) <= float(stats.t.ppf(0.975, freedom)) * error:
            return 0
    return (difference > 0) - (difference < 0)


def group(records: Sequence[Record], *names: str) -> dict[tuple[Any, ...], list[Record]]:
    """Return records by the values of these options, in order of appearance; lists become tuples.

    Examples
    --------
    >>> records = [{"options": {"a": n % 2, "b": n}, "seed": 0} for n in range(4)]
    >>> [(key, len(own)) for key, own in group(records, "a").items()]
    [((0,), 2), ((1,), 2)]
    """
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        key = tuple(_frozen(record["options"].get(name)) for name in names)
        groups.setdefault(key, []).append(record)
    return groups


def values(records: Iterable[Record], name: str) -> list[float]:
    """Return what was measured under a name; NaN where it was not."""
    measured = (record.get(name) for record in records)
    return [math.nan if value is None else float(value) for value in measured]


def _frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value
