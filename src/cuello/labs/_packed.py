"""Pictures in the records of a lab, and the sets of images that labs share."""

from __future__ import annotations

import base64
import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.data import load

__all__ = ["Images", "pack", "read_images", "unpack"]

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]


def pack(images: Array) -> str:
    """Return images with pixels in 0..1 as text: 256 grey levels, compressed.

    Examples
    --------
    >>> images = np.linspace(0, 1, 18).reshape(2, 3, 3)
    >>> bool(np.abs(unpack(pack(images), (3, 3)) - images).max() <= 0.5 / 255)
    True
    """
    levels = np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
    return base64.b64encode(zlib.compress(levels.tobytes(), 9)).decode()


def unpack(text: str, shape: Sequence[int]) -> Array:
    """Return what :func:`pack` was given, (n, *shape), to the nearest of 256 levels."""
    levels = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)
    images: Array = levels.reshape(-1, *shape) / 255.0
    return images


@dataclass(frozen=True)
class Images:
    """Images with pixels in 0..1, float32: a training part (n, side, side) and a test part."""

    X: Array
    y: Codes
    X_test: Array
    y_test: Codes
    classes: tuple[str, ...]

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return int(self.X.shape[1])


@functools.lru_cache(maxsize=1)  # trials come set by set
def read_images(name: str, rows: int | None = None, test_rows: int | None = None) -> Images:
    """Read a named set, or the first rows of it.

    ``digits``, which has no test part, lends the last quarter of its rows to it. The arrays are
    shared by all who ask for the same: do not change them.
    """
    data = load(name)
    X, y, X_test, y_test = data.X, data.y, data.X_test, data.y_test
    assert y is not None
    if X_test is None or y_test is None:
        cut = 3 * len(X) // 4
        X, X_test, y, y_test = X[:cut], X[cut:], y[:cut], y[cut:]
    top = 255.0 if X.dtype == np.uint8 else float(data.X.max())

    def scaled(images: Array) -> Array:
        return (images.astype(np.float32) / np.float32(top)).astype(np.float32)

    return Images(
        scaled(X[:rows]), y[:rows], scaled(X_test[:test_rows]), y_test[:test_rows], data.classes
    )
