"""From the records of trials to one table: mean, standard deviation, confidence interval."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from cuello.arrays import Record
from cuello.errors import Argument, RunError
from cuello.study.study import Study
from cuello.study.trials import MEASURES

__all__ = [
    "Combination",
    "Spread",
    "best_of",
    "group",
    "option_text",
    "spread",
    "summarise_trials",
    "values",
]

_ROUNDING_SHARE = 1e-12
"""Deviation, as a share of the mean, that is the rounding of equal numbers."""


@dataclass(frozen=True)
class Spread:
    """Several measurements of one quantity: mean, sample standard deviation, confidence interval.

    The deviation of one value is 0, and NaN where nothing was measured. ``low`` and ``high`` are
    the 95 % confidence interval of the mean, by Student's t, NaN for fewer than two values.
    ``left_out`` counts values that were not finite, ``count`` the others.
    """

    mean: float
    sd: float
    low: float
    high: float
    count: int
    left_out: int = 0

    @property
    def standard_error(self) -> float:
        """Return the standard deviation of the mean."""
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
    """Return mean, standard deviation and confidence interval of some values."""
    every = np.array([math.nan if v is None else v for v in measured], dtype=np.float64)
    finite = every[np.isfinite(every)]
    n = len(finite)
    if n == 0:
        return Spread(math.nan, math.nan, math.nan, math.nan, 0, len(every))
    mean, sd = float(finite.mean()), float(finite.std(ddof=1)) if n > 1 else 0.0
    half = float(stats.t.ppf(0.975, n - 1)) * sd / math.sqrt(n) if n > 1 else math.nan
    return Spread(mean, sd, mean - half, mean + half, n, len(every) - n)


def group(records: Sequence[Record], *names: str) -> dict[tuple[Any, ...], list[Record]]:
    """Return records by the values of these options, in their order; lists become tuples."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        key = tuple(_frozen(record["options"].get(name)) for name in names)
        groups.setdefault(key, []).append(record)
    return groups


def values(records: Iterable[Record], name: str) -> list[float]:
    """Return what was measured under a name; NaN where it was not."""
    measured = (record.get(name) for record in records)
    return [math.nan if value is None else float(value) for value in measured]


@dataclass(frozen=True)
class Combination:
    """A combination of options, those of them that vary, and its measures over the seeds."""

    options: dict[str, Any]
    varied: dict[str, Any]
    measured: dict[str, Spread]
    diverged: int
    pruned: bool


def summarise_trials(study: Study, records: Sequence[Record]) -> list[Combination]:
    """Return every combination of a grid, or every trial of a search, the best first."""
    names = list(study.grid or study.search)
    grouped = list(group(records, *names).values()) if study.grid else [[r] for r in records]
    rows = [
        Combination(
            options=dict(trials[0]["options"]),
            varied={name: trials[0]["options"][name] for name in names},
            measured={name: spread(values(trials, name)) for name in MEASURES},
            diverged=sum(bool(record.get("diverged")) for record in trials),
            pruned=all(record.get("pruned", False) for record in trials),
        )
        for trials in grouped
    ]
    sign = -1.0 if study.maximise else 1.0
    means = [sign * row.measured[study.measure].mean for row in rows]
    order = np.argsort(means, kind="stable")  # NaN comes last
    return [rows[i] for i in order]


def best_of(study: Study, rows: Sequence[Combination]) -> Combination:
    """Return the best combination.

    Parameters
    ----------
    study : Study
        The study.
    rows : sequence of Combination
        As :func:`run_study` returns them: the best first.

    Raises
    ------
    InputError
        If the measure is one of test samples, which must not choose.
    RunError
        If nothing could be measured.
    """
    study.check_choice()
    if not rows or not rows[0].measured[study.measure].count:
        raise RunError(
            f"no trial has a finite {study.measure}, so none is the best",
            remedy=["look at ", Argument("learning_rate"), ", or choose another measure"],
        )
    return rows[0]


def option_text(value: object) -> str:
    """Return a value of an option as tables show it: ``20-10`` for widths."""
    if isinstance(value, list | tuple):
        return "-".join(map(str, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value
