"""Arrays inside a page: compressed, in script elements, read back as typed arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cuello.arrays import Array, Float32s, Record
from cuello.report.assets import packed
from cuello.run.sheets import contact_sheet, to_pixels

__all__ = ["LONGEST", "Packs", "store_samples"]

LONGEST = 64
"""Longest side, in pixels, of an image in the page."""


@dataclass(frozen=True)
class Packs:
    """Contents of the page beside its JSON: base64 of gzip by element id."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, content: bytes) -> str:
        """Take bytes in, and return the id of the element that will hold them."""
        name = f"pack-{len(self.texts)}"
        self.texts[name] = packed(content)
        return name

    def array(self, values: Array) -> dict[str, str]:
        """Take an array of uint8, uint16, int16, int32 or float32 in."""
        plain = np.ascontiguousarray(values)
        content = plain.astype(plain.dtype.newbyteorder("<")).tobytes()
        return {"pack": self.add(content), "type": plain.dtype.name}

    def json(self, value: object) -> dict[str, str]:
        """Take anything in that JSON can hold."""
        return {"pack": self.add(json.dumps(value).encode("utf-8", "replace")), "type": "json"}

    def quantised(self, values: Float32s) -> Record:
        """Take floats (n, columns) in as 16 bits each, in equal steps over each column's range."""
        low, high = values.min(axis=0), values.max(axis=0)
        step = np.maximum((high - low).astype(np.float64), 1e-12) / 65535
        stored = self.array(np.round((values - low) / step).astype(np.uint16))
        return {**stored, "low": low.tolist(), "step": step.tolist()}


def store_samples(
    values: Array, packs: Packs, *, bounds: tuple[float, float], max_bytes: int
) -> tuple[Record | None, list[str]]:
    """Put as many samples into the page as fit into so much text, evenly spaced among all.

    Images become bytes from black (the lower bound) to white, those larger than :data:`LONGEST`
    pixels smaller; tables stay float32.

    Returns
    -------
    record : dict or None
        For the browser to read them back; None where not one sample fits.
    notes : list of str
        On samples that are left out, and images that are smaller.
    """
    notes: list[str] = []
    images = values.ndim > 2
    stored: Array = _as_bytes(values, bounds) if images else values.astype(np.float32)
    if images and max(stored.shape[-2:]) > LONGEST:
        stored = _smaller(stored)
        size = " x ".join(map(str, stored.shape[-2:]))
        notes.append(f"Images are kept at {size} pixels, errors are those of the full size.")
    kept = np.arange(len(stored))
    some = stored[:: max(1, len(stored) // 500)]
    cost = len(packed(some.tobytes())) / len(some)
    if cost * len(stored) > max_bytes:
        kept = np.linspace(0, len(stored) - 1, int(max_bytes / cost)).astype(np.int64)
        unit = "images" if images else "rows"
        notes.append(f"To keep this page small it holds {len(kept):,} of {len(stored):,} {unit}.")
    if not len(kept):
        return None, ["Not one row fits into this page."]
    record = {
        **packs.array(stored[kept]),
        "shape": list(stored.shape[1:]),
        "bounds": list(bounds),
        "exact": stored.shape[1:] == values.shape[1:],
        "kept": None if len(kept) == len(stored) else packs.array(kept.astype(np.int32)),
    }
    return record, notes


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
