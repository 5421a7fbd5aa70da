"""What methods are measured by, as a task wants it: accuracy and F1, or R² and the error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cuello.report.fragments import MISSING, finite, number, plus_minus

__all__ = ["Measure", "has_spread", "measures"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One figure of a method.

    Parameters
    ----------
    key : str
        In the rows of ``metrics.json``: ``key_mean``, ``key_sd``.
    name : str
        In a sentence.
    unit : str
        ``%`` for shares, empty for what is in units of its own.
    digits : int or None
        After the point; None: three significant ones.
    """

    key: str
    name: str
    unit: str = ""
    digits: int | None = None

    @property
    def title(self) -> str:
        """At the head of a column."""
        return f"{self.name[:1].upper()}{self.name[1:]}" + (f" ({self.unit})" if self.unit else "")

    @property
    def factor(self) -> float:
        """What values are multiplied by to be shown."""
        return 100.0 if self.unit == "%" else 1.0

    def text(self, row: Mapping[str, Any], *, inside: bool = False) -> str:
        """Write the mean of a row, with its deviation where there are several draws.

        Parameters
        ----------
        row : mapping
            Of the table of methods.
        inside : bool
            Of what was measured inside the labelled rows, which has no deviation.

        Examples
        --------
        >>> R2.text({"r2_mean": 0.4127, "r2_sd": 0.02, "repeats": 5})
        '0.413 ± 0.020'
        """
        if inside:
            return self.said(row.get(f"cv_{self.key}_mean"))
        mean, sd = row.get(f"{self.key}_mean"), row.get(f"{self.key}_sd")
        return self.said(mean, sd if has_spread(row) else None)

    def said(self, mean: object, sd: object = None) -> str:
        """Write a value, or a mean and its deviation."""
        if self.unit == "%":
            return plus_minus(mean, sd)
        middle, spread = finite(mean), finite(sd)
        if middle is None:
            return MISSING
        parts = [middle] if spread is None else [middle, spread]
        if self.digits is None:
            return " ± ".join(number(part, padded=True) for part in parts)
        return " ± ".join(f"{part:.{self.digits}f}" for part in parts)


ACCURACY = Measure(key="accuracy", name="accuracy", unit="%")
MACRO_F1 = Measure(key="macro_f1", name="macro F1", unit="%")
R2 = Measure(key="r2", name="R²", digits=3)
MAE = Measure(key="mae", name="mean absolute error")


def measures(metrics: Mapping[str, Any]) -> tuple[Measure, Measure]:
    """Return what methods are ranked by, and what is shown beside it.

    Examples
    --------
    >>> [measure.title for measure in measures({"data": {"task": "regression"}})]
    ['R²', 'Mean absolute error']
    """
    data = metrics.get("data")
    task = data.get("task") if isinstance(data, dict) else None
    return (R2, MAE) if task == "regression" else (ACCURACY, MACRO_F1)


def has_spread(row: Mapping[str, Any]) -> bool:
    """Whether a row is of several label draws: a single one has no deviation to show."""
    return (finite(row.get("repeats")) or 0) > 1
