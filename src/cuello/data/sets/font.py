"""The 7x5 bitmap characters of the classic course font, embedded."""

from __future__ import annotations

import numpy as np

from cuello.data.dataset import Dataset
from cuello.data.readers.arrays import image_encoding
from cuello.data.sets.base import NAMED_SETS, NamedSet
from cuello.errors import unknown

__all__ = ["BITMAPS", "read_font"]

# fmt: off
# One number a row of pixels, from the top; bit 0x10 is the leftmost of five columns.
BITMAPS: dict[str, dict[str, tuple[int, ...]]] = {
    "upper": {
        "@": (14, 17, 23, 21, 23, 16, 15), "A": (4, 10, 17, 17, 31, 17, 17),
        "B": (30, 17, 17, 30, 17, 17, 30), "C": (14, 17, 16, 16, 16, 17, 14),
        "D": (30, 9, 9, 9, 9, 9, 30), "E": (31, 16, 16, 28, 16, 16, 31),
        "F": (31, 16, 16, 31, 16, 16, 16), "G": (14, 17, 16, 16, 19, 17, 15),
        "H": (17, 17, 17, 31, 17, 17, 17), "I": (14, 4, 4, 4, 4, 4, 14),
        "J": (31, 2, 2, 2, 2, 18, 12), "K": (17, 18, 20, 24, 20, 18, 17),
        "L": (16, 16, 16, 16, 16, 16, 31), "M": (17, 27, 21, 17, 17, 17, 17),
        "N": (17, 17, 25, 21, 19, 17, 17), "O": (14, 17, 17, 17, 17, 17, 14),
        "P": (30, 17, 17, 30, 16, 16, 16), "Q": (14, 17, 17, 17, 21, 18, 13),
        "R": (30, 17, 17, 30, 20, 18, 17), "S": (14, 17, 16, 14, 1, 17, 14),
        "T": (31, 4, 4, 4, 4, 4, 4), "U": (17, 17, 17, 17, 17, 17, 14),
        "V": (17, 17, 17, 17, 17, 10, 4), "W": (17, 17, 17, 21, 21, 27, 17),
        "X": (17, 17, 10, 4, 10, 17, 17), "Y": (17, 17, 10, 4, 4, 4, 4),
        "Z": (31, 1, 2, 4, 8, 16, 31), "[": (14, 8, 8, 8, 8, 8, 14),
        "\\": (16, 16, 8, 4, 2, 1, 1), "]": (14, 2, 2, 2, 2, 2, 14),
        "^": (4, 10, 17, 0, 0, 0, 0), "_": (0, 0, 0, 0, 0, 0, 31),
    },
    "digits": {
        "0": (14, 17, 19, 21, 25, 17, 14), "1": (4, 12, 4, 4, 4, 4, 14),
        "2": (14, 17, 1, 2, 4, 8, 31), "3": (14, 17, 1, 6, 1, 17, 14),
        "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14),
        "6": (6, 8, 16, 30, 17, 17, 14), "7": (31, 1, 2, 4, 8, 8, 8),
        "8": (14, 17, 17, 14, 17, 17, 14), "9": (14, 17, 17, 15, 1, 2, 12),
    },
    "lower": {
        "`": (4, 4, 2, 0, 0, 0, 0), "a": (0, 14, 1, 13, 19, 19, 13),
        "b": (16, 16, 16, 28, 18, 18, 28), "c": (0, 0, 0, 14, 16, 16, 14),
        "d": (1, 1, 1, 7, 9, 9, 7), "e": (0, 0, 14, 17, 31, 16, 15),
        "f": (6, 9, 8, 28, 8, 8, 8), "g": (14, 17, 19, 13, 1, 1, 14),
        "h": (16, 16, 16, 22, 25, 17, 17), "i": (0, 4, 0, 12, 4, 4, 14),
        "j": (2, 0, 6, 2, 2, 18, 12), "k": (16, 16, 18, 20, 24, 20, 18),
        "l": (12, 4, 4, 4, 4, 4, 4), "m": (0, 0, 10, 21, 21, 17, 17),
        "n": (0, 0, 22, 25, 17, 17, 17), "o": (0, 0, 14, 17, 17, 17, 14),
        "p": (0, 28, 18, 18, 28, 16, 16), "q": (0, 7, 9, 9, 7, 1, 1),
        "r": (0, 0, 22, 25, 16, 16, 16), "s": (0, 0, 15, 16, 14, 1, 30),
        "t": (8, 8, 28, 8, 8, 9, 6), "u": (0, 0, 17, 17, 17, 19, 13),
        "v": (0, 0, 17, 17, 17, 10, 4), "w": (0, 0, 17, 17, 21, 21, 10),
        "x": (0, 0, 17, 10, 4, 10, 17), "y": (0, 17, 17, 15, 1, 17, 14),
        "z": (0, 0, 31, 2, 4, 8, 31), "{": (6, 8, 8, 16, 8, 8, 6),
        "|": (4, 4, 4, 0, 4, 4, 4), "}": (12, 2, 2, 1, 2, 2, 12),
        "~": (8, 21, 2, 0, 0, 0, 0), "DEL": (31, 31, 31, 31, 31, 31, 31),
    },
}
# fmt: on

SUBSETS = (*BITMAPS, "all")


def read_font(subset: str, offline: bool) -> Dataset:
    """Read a subset of the font: X (n, 7, 5) uint8 of 0 and 255; every character is its own class.

    ``upper`` has the 32 characters 0x40 to 0x5f of the 7x5 experiments, ``digits`` ten, ``lower``
    the 32 from 0x60 on, ``all`` the three one after the other.
    """
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
