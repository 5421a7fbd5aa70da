"""Numbers, times and names as a reader wants them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from cuello.arrays import Array

__all__ = ["MISSING", "duration", "finite", "number_text", "rounded", "shorten"]

MISSING = "–"
"""What stands for a number that is not there."""


def finite(value: float | None) -> float | None:
    """Return a number, or None where it is missing, NaN or infinite."""
    return None if value is None or not math.isfinite(value) else value


def number_text(value: float | None, digits: int = 3, *, padded: bool = False) -> str:
    """Write a number with so many significant digits; ``padded`` keeps trailing zeros."""
    plain = finite(value)
    if plain is None:
        return MISSING
    if plain == int(plain) and abs(plain) < 1e12:
        return f"{int(plain):,}"
    if abs(plain) >= 10**digits - 0.5:
        return f"{plain:,.0f}"
    return f"{plain:#.{digits}g}".rstrip(".") if padded else f"{plain:.{digits}g}"


def duration(seconds: float | None) -> str:
    """Write seconds as people say them: ``0.42 s``, ``1 min 23 s``, ``2 h 1 min``."""
    plain = finite(seconds)
    if plain is None:
        return MISSING
    if plain < 10:
        return f"{plain:.2g} s"
    minutes, rest = divmod(round(plain), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def rounded(values: Iterable[float | None] | Array) -> list[float | None]:
    """Round to 4 significant digits for JSON, which has no NaN: those become None."""
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    return [None if finite(value) is None else float(f"{value:.4g}") for value in listed]


def shorten(text: str, longest: int = 40) -> str:
    """Cut a long name in the middle, where file names differ least."""
    if len(text) <= longest:
        return text
    return text[: longest // 2] + "…" + text[len(text) - (longest - 1) // 2 :]
