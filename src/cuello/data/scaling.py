"""Bring the data into a range that networks like, and back.

Fitted on training rows only: what validation and test rows look like must not leak into a model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.errors import unknown

__all__ = ["SCALINGS", "Scaling"]

SCALINGS = ("auto", "minmax", "none", "standard", "symmetric")


@dataclass(frozen=True)
class Scaling:
    """An affine map: scaled = (x - offset) / width, per column or one for all elements.

    Parameters
    ----------
    name : str
        What was fitted: ``none``, ``minmax`` (to 0..1), ``symmetric`` (to -1..1) or ``standard``
        (mean 0, standard deviation 1).
    offset, width : tuple of float
        One number for all elements, or one a column. Constant columns have width 1.
    low, high : float
        Smallest and largest scaled value of the rows it was fitted on.
    """

    name: str
    offset: tuple[float, ...]
    width: tuple[float, ...]
    low: float
    high: float

    @classmethod
    def fit(cls, X: npt.NDArray[Any], name: str = "auto") -> Scaling:
        """Fit on training rows.

        ``auto`` is 0..255 to 0..1 for bytes; nothing for values that lie in 0..1 already;
        ``minmax`` over all pixels for other images; ``standard``, a column at a time, for tables.

        Raises
        ------
        InputError
            If the name is not known.

        Examples
        --------
        >>> Scaling.fit(np.array([[0, 255]], dtype=np.uint8)).apply(np.array([[51]], np.uint8))
        array([[0.2]], dtype=float32)
        """
        if name not in SCALINGS:
            raise unknown("scaling", name, SCALINGS)
        if X.dtype == np.uint8 and name in ("auto", "minmax", "symmetric"):
            # A byte's range is known; fitting it would make the scale depend on the draw.
            if name == "symmetric":
                return cls(name, (127.5,), (127.5,), -1.0, 1.0)
            return cls("minmax", (0.0,), (255.0,), 0.0, 1.0)
        low, high = float(X.min()), float(X.max())
        if name == "auto":
            in_unit = low >= 0.0 and high <= 1.0
            name = "none" if in_unit else "minmax" if X.ndim > 2 else "standard"
        if name == "none":
            return cls(name, (0.0,), (1.0,), low, high)
        table = X.ndim == 2
        axis = 0 if table else None
        if name == "standard":
            offset = np.atleast_1d(X.mean(axis=axis, dtype=np.float64))
            width = np.atleast_1d(X.std(axis=axis, dtype=np.float64))
        else:
            lowest = np.atleast_1d(X.min(axis=axis)).astype(np.float64)
            span = np.atleast_1d(X.max(axis=axis)).astype(np.float64) - lowest
            offset, width = lowest, span
            if name == "symmetric":
                offset, width = lowest + span / 2, span / 2
        # A constant column carries nothing: it becomes zero, not a division by (nearly) zero.
        width = np.where(width > 1e-12 * np.maximum(1.0, np.abs(offset)), width, 1.0)
        fitted = cls(name, tuple(offset.tolist()), tuple(width.tolist()), 0.0, 0.0)
        if name == "standard":
            scaled_low = float(((X.min(axis=axis) - offset) / width).min())
            scaled_high = float(((X.max(axis=axis) - offset) / width).max())
        else:
            scaled_low, scaled_high = (0.0, 1.0) if name == "minmax" else (-1.0, 1.0)
        return cls(fitted.name, fitted.offset, fitted.width, scaled_low, scaled_high)

    def apply(self, X: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return scaled rows as a new float32 array."""
        if X.dtype == np.float64 and self.name != "none":
            # A large offset (a year, a timestamp) must go before the digits that float32 drops.
            exact = (X - np.asarray(self.offset)) / np.asarray(self.width)
            return np.asarray(exact, dtype=np.float32)
        out: npt.NDArray[np.float32] = np.array(X, dtype=np.float32)
        if self.name != "none":
            # In place: a copy for each step would triple the peak memory of a large set.
            out -= np.asarray(self.offset, dtype=np.float32)
            out /= np.asarray(self.width, dtype=np.float32)
        return out

    def invert(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return rows in the data's own units."""
        if self.name == "none":
            return X
        back = X * np.asarray(self.width) + np.asarray(self.offset)
        return np.asarray(back, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, enough for :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Scaling:
        """Rebuild what :meth:`to_json` gave."""
        return cls(
            name=record["name"],
            offset=tuple(record["offset"]),
            width=tuple(record["width"]),
            low=record["low"],
            high=record["high"],
        )
