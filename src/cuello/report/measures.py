"""What few-label methods are measured by, for each task, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cuello.formats import MISSING, finite, number_text, plus_minus

__all__ = [
    "Measure",
    "has_spread",
    "labels_text",
    "measures",
    "method_name",
    "uses_autoencoder",
]


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
        """Write the mean of a row, with its deviation where there are several draws.

        Parameters
        ----------
        row : mapping
            Of the table of methods.
        cross_validated : bool
            Write the score on folds of the labelled rows instead, which has no deviation.

        Examples
        --------
        >>> R2.text({"r2_mean": 0.4127, "r2_sd": 0.02, "repeats": 5})
        '0.413 ± 0.020'
        """
        if cross_validated:
            return self.value_text(row[f"cv_{self.key}_mean"])
        sd = row[f"{self.key}_sd"] if has_spread(row) else None
        return self.value_text(row[f"{self.key}_mean"], sd)

    def with_unit(self, row: Mapping[str, Any]) -> str:
        """Write the mean of a row with its unit."""
        return f"{self.text(row)} {self.unit}".rstrip()

    def value_text(self, mean: float | None, sd: float | None = None) -> str:
        """Write a value, or a mean and its deviation."""
        if self.unit == "%":
            return plus_minus(mean, sd)
        middle, spread = finite(mean), finite(sd)
        if middle is None:
            return MISSING
        parts = [middle] if spread is None else [middle, spread]
        if self.digits is None:
            return " ± ".join(number_text(part, padded=True) for part in parts)
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
    return (R2, MAE) if metrics["data"]["task"] == "regression" else (ACCURACY, MACRO_F1)


def has_spread(row: Mapping[str, Any]) -> bool:
    """Return whether a row is of several label draws: a single one has no deviation to show."""
    return bool(row["repeats"] > 1)


def labels_text(count: int) -> str:
    """Write a number of labels."""
    return f"{number_text(count)} label{'' if count == 1 else 's'}"


def method_name(method: str, metrics: Mapping[str, Any]) -> str:
    """Return the display name of a method that a run compared; of another one, its key."""
    rows = metrics["few_labels"]
    names = {row["method"]: str(row["display_name"]) for row in rows}
    return names.get(method, method)


def uses_autoencoder(method: str) -> bool:
    """Return whether a method starts from the trained autoencoder."""
    from cuello.few_label import METHODS  # not above: it brings torch
    from cuello.run.baselines import BASELINES

    return method not in BASELINES and (method not in METHODS or METHODS[method].pretrained)
