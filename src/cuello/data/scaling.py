"""Scaling into a range that suits networks, and back; fitted on training samples only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cuello.arrays import Array, Float32s
from cuello.errors import unknown

__all__ = ["SCALINGS", "Scaling", "needs_double"]

SCALINGS = ("auto", "minmax", "none", "standard", "symmetric")
"""``minmax`` takes smallest and largest value to 0 and 1, ``symmetric`` to -1 and 1; ``standard``
gives mean 0 and standard deviation 1: in tables a column at a time. ``auto`` standardises tables,
so that units do not count, and takes images to 0..1, where they are not there already."""

_ELEMENTS_AT_ONCE = 2**16
_MOST_DROPPED = 1e-5
"""Of a column's standard deviation: what float32 may drop."""
_RANGES = {"minmax": (0.0, 1.0), "symmetric": (-1.0, 1.0)}


@dataclass(frozen=True)
class Scaling:
    """An affine function: scaled = (x - offset) / width.

    ``offset`` and ``width`` have one number for all elements, or one a column; ``low`` and ``high``
    are the smallest and the largest scaled value of the samples it was fitted on.
    """

    name: str
    offset: tuple[float, ...]
    width: tuple[float, ...]
    low: float
    high: float

    @classmethod
    def fit(cls, X: Array, name: str = "auto") -> Scaling:
        """Fit on training samples by one of :data:`SCALINGS`."""
        if name not in SCALINGS:
            raise unknown("scaling", name, SCALINGS)
        if name == "auto":
            in_unit = X.dtype != np.uint8 and X.min() >= 0.0 and X.max() <= 1.0
            name = "standard" if X.ndim == 2 else "none" if in_unit else "minmax"
        if name == "none":
            return cls(name, (0.0,), (1.0,), float(X.min()), float(X.max()))
        axis = 0 if X.ndim == 2 else None
        if name == "standard":
            offset, width = X.mean(axis=axis, dtype=np.float64), X.std(axis=axis, dtype=np.float64)
        else:
            # The range of bytes is fixed: fitting it would depend on the draw.
            bounds = (0, 255) if X.dtype == np.uint8 else (X.min(axis=axis), X.max(axis=axis))
            offset, highest = (np.asarray(bound, dtype=np.float64) for bound in bounds)
            width = highest - offset
            if name == "symmetric":
                offset, width = offset + width / 2, width / 2
        offset, width = np.atleast_1d(offset), np.atleast_1d(width)
        # A constant column carries nothing: it becomes zero, not a division by (nearly) zero.
        width = np.where(width > 1e-12 * np.abs(offset), width, 1.0)
        low, high = _RANGES.get(name) or (
            float(((X.min(axis=axis) - offset) / width).min()),
            float(((X.max(axis=axis) - offset) / width).max()),
        )
        return cls(name, tuple(offset.tolist()), tuple(width.tolist()), low, high)

    @property
    def dtype(self) -> type[np.float32 | np.float64]:
        """Type that holds samples in the units of the data: float64 for a column far from 0."""
        dropped = np.finfo(np.float32).eps * np.abs(self.offset)
        drops = (dropped > _MOST_DROPPED * np.asarray(self.width)).any()
        far = self.name != "none" and len(self.offset) > 1 and drops
        return np.float64 if far else np.float32

    def apply(self, X: Array) -> Float32s:
        """Return scaled samples as a new float32 array."""
        if self.name != "none" and (X.dtype == np.float64 or len(self.offset) > 1):
            # A large offset (a year, a timestamp) must go before the digits that float32 drops.
            out: Float32s = np.empty(X.shape, dtype=np.float32)
            for some in _chunks(X):
                out[some] = (X[some] - np.asarray(self.offset)) / np.asarray(self.width)
            return out
        out = np.array(X, dtype=np.float32)
        if self.name != "none":
            # In place: a copy for each step would triple the peak memory of a large set.
            out -= np.asarray(self.offset, dtype=np.float32)
            out /= np.asarray(self.width, dtype=np.float32)
        return out

    def invert(self, X: Float32s) -> Array:
        """Return samples in the units of the data, as :attr:`dtype`."""
        if self.name == "none":
            return X
        out = np.empty(np.broadcast_shapes(X.shape, np.shape(self.width)), self.dtype)
        for some in _chunks(X):
            out[some] = X[some] * np.asarray(self.width) + np.asarray(self.offset)
        return out

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Scaling:
        """Rebuild a scaling from JSON of its ``asdict``."""
        bounds = {"offset": tuple(record["offset"]), "width": tuple(record["width"])}
        return cls(**record | bounds)


def needs_double(values: Array) -> bool:
    """Check whether float32 would drop digits of a column (n,) that tell its values apart."""
    values = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        dropped = np.nanmax(np.abs(values - values.astype(np.float32)), initial=0.0)
    return bool(0.0 < dropped < np.inf and dropped > _MOST_DROPPED * np.nanstd(values))


def _chunks(X: Array) -> Iterator[slice]:
    """Yield parts of samples that stay in a processor's caches in double precision."""
    size = max(_ELEMENTS_AT_ONCE // max(X[:1].size, 1), 1)
    return (slice(start, start + size) for start in range(0, len(X), size))
