"""Scores of few-label methods for each task, as tables and sentences write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cuello.formats import MISSING, finite, number_text

__all__ = ["Measure", "has_spread", "measures", "method_name"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One figure of a method."""

    key: str
    """In the rows of ``metrics.json``: ``key_mean``, ``key_sd``."""
    name: str
    unit: str = ""
    """``%`` for shares; empty for values in the unit of the labels, or without one."""
    digits: int | None = None
    """After the point; None: three significant ones."""

    @property
    def capitalised(self) -> str:
        """The name at the beginning of a sentence."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def title(self) -> str:
        """At the head of a column."""
        return self.capitalised + (f" ({self.unit})" if self.unit else "")

    @property
    def factor(self) -> float:
        """What values are multiplied by to be shown."""
        return 100.0 if self.unit == "%" else 1.0

    def text(self, row: Mapping[str, Any], *, cross_validated: bool = False) -> str:
        """Write the mean of a row and its deviation, if any, or its cross-validated score."""
        if cross_validated:
            return self.value_text(row[f"cv_{self.key}_mean"])
        sd = row[f"{self.key}_sd"] if has_spread(row) else None
        return self.value_text(row[f"{self.key}_mean"], sd)

    def value_text(self, mean: float | None, sd: float | None = None) -> str:
        """Write a value, or a mean and its deviation."""
        parts = [self.factor * part for part in (finite(mean), finite(sd)) if part is not None]
        if finite(mean) is None:
            return MISSING
        if self.digits is None:
            return " ± ".join(number_text(part, padded=True) for part in parts)
        return " ± ".join(f"{part:.{self.digits}f}" for part in parts)


ACCURACY = Measure(key="accuracy", name="accuracy", unit="%", digits=1)
MACRO_F1 = Measure(key="macro_f1", name="macro F1", unit="%", digits=1)
R2 = Measure(key="r2", name="R²", digits=3)
MAE = Measure(key="mae", name="mean absolute error")


def measures(metrics: Mapping[str, Any]) -> tuple[Measure, Measure]:
    """Return the measure that methods are ranked by, and the one shown beside it."""
    return (R2, MAE) if metrics["data"]["task"] == "regression" else (ACCURACY, MACRO_F1)


def has_spread(row: Mapping[str, Any]) -> bool:
    """Return whether a row is of two label draws or more: one has no deviation to show."""
    return bool(row["repeats"] > 1)


def method_name(method: str, metrics: Mapping[str, Any]) -> str:
    """Return the display name of a method that a run compared; of another one, its key."""
    rows = metrics["few_labels"]
    names = {row["method"]: str(row["display_name"]) for row in rows}
    return names.get(method, method)
