"""Combinations of options: what was measured of each over its seeds, and which is the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cuello.arrays import Record
from cuello.errors import Argument, InputError, RunError, Use
from cuello.study.study import MEASURES, Study
from cuello.study.summary import Spread, group, spread, values

__all__ = ["Combination", "best_of", "check_choice", "option_text", "summarise_trials"]


@dataclass(frozen=True)
class Combination:
    """A combination of options, what varies of it, and what was measured over its seeds."""

    options: dict[str, Any]
    varied: dict[str, Any]
    measured: dict[str, Spread]
    diverged: int
    pruned: bool = False


def summarise_trials(study: Study, records: Sequence[Record]) -> list[Combination]:
    """Return a row for every combination, the best first."""
    names = list(study.grid or study.search)
    grouped = list(group(records, *names).values())
    if study.search:
        grouped = [[record] for record in records]
    rows = [
        Combination(
            options=dict(own[0]["options"]),
            varied={name: own[0]["options"][name] for name in names},
            measured={name: spread(values(own, name)) for name in MEASURES},
            diverged=sum(bool(record.get("diverged")) for record in own),
            pruned=all(record.get("pruned", False) for record in own),
        )
        for own in grouped
    ]
    sign = -1.0 if study.maximise else 1.0
    return sorted(rows, key=lambda row: _last_if_nan(sign * row.measured[study.measure].mean))


def best_of(study: Study, rows: Sequence[Combination]) -> Combination:
    """Return the best row.

    Raises
    ------
    InputError
        If the measure is one of test rows, which must not choose.
    RunError
        If nothing could be measured.
    """
    check_choice(study)
    if not rows or not rows[0].measured[study.measure].count:
        raise RunError(
            f"no trial has a finite {study.measure}, so none is the best",
            remedy=["look at ", Argument("learning_rate"), ", or choose another measure"],
        )
    return rows[0]


def check_choice(study: Study) -> None:
    """Refuse to choose by a measure of test rows."""
    if study.measure.startswith("test"):
        raise InputError(
            "is of test rows; the best cannot be chosen on test rows, which then say nothing about "
            "new ones",
            argument="measure",
            value=study.measure,
            remedy=Use("measure", "validation_mse"),
        )


def _last_if_nan(value: float) -> float:
    return value if np.isfinite(value) else np.inf


def option_text(value: object) -> str:
    """Return a value of an option as tables show it: `20-10` for widths."""
    if isinstance(value, list | tuple):
        return "-".join(map(str, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
