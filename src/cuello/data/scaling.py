"""Bring the data into a range that networks like, and back.

Fitted on training samples only: validation and test must not leak into a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cuello.arrays import Array, Float32s, Floats
from cuello.registry import Registry

__all__ = ["SCALINGS", "Scaling", "ScalingMethod"]


@dataclass(frozen=True, kw_only=True)
class ScalingMethod:
    """A choice of offset and width.

    Parameters
    ----------
    display_name, summary : str
        As shown in tables, and one sentence on it.
    fit : callable or None
        ``fit(X, axis) -> (offset, width)``; None for no scaling, and where another is chosen.
    range : (float, float) or None
        Smallest and largest scaled value, where they are always the same.
    bytes : (float, float) or None
        Offset and width for uint8, whose range is known: fitting it would depend on the draw.
    """

    display_name: str
    summary: str
    fit: Callable[[Array, int | None], tuple[Floats, Floats]] | None = None
    range: tuple[float, float] | None = None
    bytes: tuple[float, float] | None = None


SCALINGS: Registry[ScalingMethod] = Registry("scaling")


@dataclass(frozen=True)
class Scaling:
    """An affine function: scaled = (x - offset) / width, per column or one for all elements.

    Parameters
    ----------
    name : str
        A name of :data:`SCALINGS` but ``auto``.
    offset, width : tuple of float
        One number for all elements, or one a column. Constant columns have width 1.
    low, high : float
        Smallest and largest scaled value of the samples it was fitted on.
    """

    name: str
    offset: tuple[float, ...]
    width: tuple[float, ...]
    low: float
    high: float

    @classmethod
    def fit(cls, X: Array, name: str = "auto") -> Scaling:
        """Fit on training samples.

        Raises
        ------
        InputError
            If the name is not known.

        Examples
        --------
        >>> Scaling.fit(np.array([[0, 255]], dtype=np.uint8)).apply(np.array([[51]], np.uint8))
        array([[0.2]], dtype=float32)
        """
        name = SCALINGS.resolve(name)
        if name == "auto":
            name = _choose(X)
        method = SCALINGS[name]
        if X.dtype == np.uint8 and method.bytes and method.range:
            return cls(name, method.bytes[:1], method.bytes[1:], *method.range)
        if method.fit is None:
            return cls(name, (0.0,), (1.0,), float(X.min()), float(X.max()))
        axis = 0 if X.ndim == 2 else None
        offset, width = (np.atleast_1d(a).astype(np.float64) for a in method.fit(X, axis))
        # A constant column carries nothing: it becomes zero, not a division by (nearly) zero.
        width = np.where(width > 1e-12 * np.maximum(1.0, np.abs(offset)), width, 1.0)
        low, high = method.range or (
            float(((X.min(axis=axis) - offset) / width).min()),
            float(((X.max(axis=axis) - offset) / width).max()),
        )
        return cls(name, tuple(offset.tolist()), tuple(width.tolist()), low, high)

    def apply(self, X: Array) -> Float32s:
        """Return scaled samples as a new float32 array."""
        if X.dtype == np.float64 and self.name != "none":
            # A large offset (a year, a timestamp) must go before the digits that float32 drops.
            exact = (X - np.asarray(self.offset)) / np.asarray(self.width)
            return np.asarray(exact, dtype=np.float32)
        out: Float32s = np.array(X, dtype=np.float32)
        if self.name != "none":
            # In place: a copy for each step would triple the peak memory of a large set.
            out -= np.asarray(self.offset, dtype=np.float32)
            out /= np.asarray(self.width, dtype=np.float32)
        return out

    def invert(self, X: Float32s) -> Float32s:
        """Return samples in the units of the data."""
        if self.name == "none":
            return X
        back = X * np.asarray(self.width) + np.asarray(self.offset)
        return np.asarray(back, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, enough for :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Scaling:
        """Rebuild a scaling from the record of :meth:`to_json`."""
        bounds = {"offset": tuple(record["offset"]), "width": tuple(record["width"])}
        return cls(**record | bounds)


def _choose(X: Array) -> str:
    if X.dtype == np.uint8:
        return "minmax"
    if X.min() >= 0.0 and X.max() <= 1.0:
        return "none"
    return "minmax" if X.ndim > 2 else "standard"


def _span(X: Array, axis: int | None) -> tuple[Floats, Floats]:
    lowest = np.asarray(X.min(axis=axis)).astype(np.float64)
    return lowest, np.asarray(X.max(axis=axis)).astype(np.float64) - lowest


def _half_span(X: Array, axis: int | None) -> tuple[Floats, Floats]:
    lowest, span = _span(X, axis)
    return lowest + span / 2, span / 2


def _moments(X: Array, axis: int | None) -> tuple[Floats, Floats]:
    return X.mean(axis=axis, dtype=np.float64), X.std(axis=axis, dtype=np.float64)


SCALINGS.add(
    "auto",
    ScalingMethod(
        display_name="automatic",
        summary="Takes bytes to 0..1, leaves values in 0..1 alone, else takes images to 0..1 and "
        "standardises the columns of tables.",
    ),
)
SCALINGS.add(
    "minmax",
    ScalingMethod(
        display_name="to 0..1",
        summary="Takes smallest and largest value to 0 and 1, in tables a column at a time.",
        fit=_span,
        range=(0.0, 1.0),
        bytes=(0.0, 255.0),
    ),
)
SCALINGS.add("none", ScalingMethod(display_name="none", summary="Leaves the values as they are."))
SCALINGS.add(
    "standard",
    ScalingMethod(
        display_name="mean 0, standard deviation 1",
        summary="Standardises: mean 0, standard deviation 1, in tables a column at a time.",
        fit=_moments,
    ),
)
SCALINGS.add(
    "symmetric",
    ScalingMethod(
        display_name="to -1..1",
        summary="Takes smallest and largest value to -1 and 1, in tables a column at a time.",
        fit=_half_span,
        range=(-1.0, 1.0),
        bytes=(127.5, 127.5),
    ),
)
