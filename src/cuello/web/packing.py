"""Arrays inside a page: compressed, in script elements, read back as typed arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cuello.arrays import Array, Float32s, Record
from cuello.report.assets import packed
from cuello.run.sheets import contact_sheet, to_pixels

__all__ = ["LONGEST", "Packs", "Stored", "store_rows"]

LONGEST = 64
"""Longest side, in pixels, of an image in the page."""


@dataclass(frozen=True)
class Packs:
    """What the page carries beside its JSON: base64 of gzip by element id."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, content: bytes) -> str:
        """Take bytes in, and return the id of the element that will hold them."""
        name = f"pack-{len(self.texts)}"
        self.texts[name] = packed(content)
        return name

    def array(self, values: Array) -> dict[str, str]:
        """Take an array of uint8, uint16, int16, int32 or float32 in."""
        plain = np.ascontiguousarray(values)
        return {"pack": self.add(plain.astype(plain.dtype.newbyteorder("<")).tobytes()),
                "type": plain.dtype.name}  # fmt: skip

    def json(self, value: object) -> dict[str, str]:
        """Take anything in that JSON can hold."""
        return {"pack": self.add(json.dumps(value).encode("utf-8", "replace")), "type": "json"}

    def quantised(self, values: Float32s) -> Record:
        """Take floats (n, columns) in as 16 bits each, in equal steps over each column's range."""
        low, high = values.min(axis=0), values.max(axis=0)
        step = np.maximum((high - low).astype(np.float64), 1e-12) / 65535
        stored = self.array(np.round((values - low) / step).astype(np.uint16))
        return {**stored, "low": low.tolist(), "step": step.tolist()}


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Rows as the page holds them."""

    record: Record
    """What the browser needs to read them back."""
    notes: tuple[str, ...]
    """What was left out."""


def store_rows(
    values: Array, packs: Packs, *, bounds: tuple[float, float], max_bytes: int
) -> Stored | None:
    """Put as many rows into the page as fit, evenly spaced among all.

    Images become bytes, those larger than :data:`LONGEST` pixels smaller; tables stay float32.

    Parameters
    ----------
    values : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
    packs : Packs
        Where they are put.
    bounds : (float, float)
        Values of black and of white.
    max_bytes : int
        Of compressed text, about.

    Returns
    -------
    Stored or None
        None where not one row fits.
    """
    notes: list[str] = []
    images = values.ndim > 2
    rows: Array = _as_bytes(values, bounds) if images else values.astype(np.float32)
    if images and max(rows.shape[-2:]) > LONGEST:
        rows = _smaller(rows)
        size = " x ".join(map(str, rows.shape[-2:]))
        notes.append(f"Images are kept at {size} pixels, errors are those of the full size.")
    kept = np.arange(len(rows))
    some = rows[:: max(1, len(rows) // 500)]
    cost = len(packed(some.tobytes())) / len(some)
    if cost * len(rows) > max_bytes:
        kept = np.linspace(0, len(rows) - 1, int(max_bytes / cost)).astype(np.int64)
        unit = "images" if images else "rows"
        notes.append(f"To keep this page small it holds {len(kept):,} of {len(rows):,} {unit}.")
    if not len(kept):
        return None
    record = {
        **packs.array(rows[kept]),
        "shape": list(rows.shape[1:]),
        "bounds": list(bounds),
        "exact": rows.shape[1:] == values.shape[1:],
        "kept": None if len(kept) == len(rows) else packs.array(kept.astype(np.int32)),
    }
    return Stored(record=record, notes=tuple(notes))


def _as_bytes(values: Array, bounds: tuple[float, float]) -> npt.NDArray[np.uint8]:
    low, high = bounds
    if values.dtype == np.uint8 and bounds == (0.0, 255.0):
        return np.asarray(values)
    unit = (values.astype(np.float32) - low) * (255.0 / (high - low))
    return np.asarray(np.clip(np.round(unit), 0, 255).astype(np.uint8))


def _smaller(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return images at most :data:`LONGEST` pixels a side, averaged over areas."""
    pixels = to_pixels(images)
    small = np.stack([np.asarray(contact_sheet(one[None], longest=LONGEST)[0]) for one in pixels])
    return small if small.ndim == 3 else np.ascontiguousarray(small.transpose(0, 3, 1, 2))
