"""The 7x5 bitmap characters of the classic course font."""

from __future__ import annotations

import importlib.resources
import json

import numpy as np

from cuello.data.dataset import Dataset
from cuello.data.readers.arrays import image_encoding
from cuello.data.sets import NAMED_SETS, NamedSet
from cuello.errors import unknown

__all__ = ["BITMAPS", "read_font"]

_FILE = importlib.resources.files("cuello.data.sets") / "font.json"
BITMAPS: dict[str, dict[str, list[int]]] = json.loads(_FILE.read_text(encoding="utf-8"))
"""A number for each row of pixels, from the top; bit 0x10 is the leftmost of five columns."""
SUBSETS = (*BITMAPS, "all")


def read_font(subset: str, offline: bool) -> Dataset:
    """Read a subset: X (n, 7, 5) uint8 of 0 and 255; every character is its own class."""
    if subset not in SUBSETS:
        raise unknown("subset of font", subset, SUBSETS)
    chosen = BITMAPS.values() if subset == "all" else (BITMAPS[subset],)
    characters = {name: rows for bitmaps in chosen for name, rows in bitmaps.items()}
    bits = np.array(list(characters.values()), dtype=np.uint8)[:, :, None]
    X = (bits >> np.arange(4, -1, -1, dtype=np.uint8) & 1).astype(np.uint8) * np.uint8(255)
    return Dataset(
        X=X,
        y=np.arange(len(X), dtype=np.int64),
        classes=tuple(characters),
        name=f"font-{subset}",
        source="cuello (7x5 course font)",
        row_names=tuple(characters),
        encoding=image_encoding(X),
    )


NAMED_SETS.add(
    "font",
    NamedSet(
        summary="7x5 bitmap characters: font or font:upper, font:digits, font:lower, font:all",
        licence="public domain (facts)",
        rows=32,
        shape=(7, 5),
        read=read_font,
        subsets=SUBSETS,
    ),
)
