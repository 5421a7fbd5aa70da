"""Search space: ranges of numbers, and lists of choices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cuello.errors import InputError, unknown

__all__ = ["SearchRange"]


@dataclass(frozen=True, kw_only=True)
class SearchRange:
    """One option of a search.

    Parameters
    ----------
    low, high : int, float or None
        Ends of a range, both included; whole numbers where both are.
    log : bool
        Whether every factor, not every difference, is equally likely.
    choices : tuple
        Instead of a range: the values.
    """

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    @classmethod
    def of(cls, name: str, record: Any) -> SearchRange:
        """Build from a table (low, high, log) or a list of choices.

        Raises
        ------
        InputError
            If it is neither, or ends are no range.

        Examples
        --------
        >>> SearchRange.of("learning_rate", {"low": 1e-4, "high": 0.1, "log": True}).high
        0.1
        >>> SearchRange.of("hidden", [[64], [64, 32]]).choices
        ([64], [64, 32])
        """
        if isinstance(record, cls):
            return record
        if isinstance(record, list | tuple):
            if not record:
                raise InputError(f"search: {name} has no choices; give at least one.")
            return cls(choices=tuple(record))
        if not isinstance(record, Mapping):
            raise InputError(
                f"search: {name}={record!r} must be a list of choices, or a range such as "
                "{ low = 1e-4, high = 0.1, log = true }."
            )
        if "choices" in record:
            return cls.of(name, record["choices"])
        for key in record:
            if key not in ("low", "high", "log"):
                raise unknown(f"search: {name}", key, ("low", "high", "log", "choices"))
        low, high, log = record.get("low"), record.get("high"), record.get("log", False)
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (low, high))
        if not numbers or low >= high or (log and low <= 0):  # type: ignore[operator]
            raise InputError(
                f"search: {name} has low={low!r} and high={high!r}; low must be a number below "
                "high, and above 0 with log."
            )
        return cls(low=low, high=high, log=bool(log))

    @property
    def example(self) -> Any:
        """One of the values."""
        return self.choices[0] if self.choices else self.low

    def suggest(self, name: str, trial: Any) -> Any:
        """Ask an Optuna trial for a value."""
        if self.choices:
            # Lists are no values that Optuna can keep, their texts are.
            texts = [json.dumps(choice) for choice in self.choices]
            return json.loads(trial.suggest_categorical(name, texts))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def to_json(self) -> Any:
        """Return what :meth:`of` takes."""
        if self.choices:
            return list(self.choices)
        return {"low": self.low, "high": self.high, "log": self.log}
