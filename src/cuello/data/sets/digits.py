"""Handwritten digits of 8x8 pixels, bundled with scikit-learn."""

from __future__ import annotations

import numpy as np

from cuello.data.dataset import Dataset
from cuello.data.readers.arrays import image_encoding
from cuello.data.sets import NAMED_SETS, NamedSet

__all__ = ["read_digits"]


def read_digits(subset: str, offline: bool) -> Dataset:
    """Read scikit-learn's digits: X (1797, 8, 8) uint8, y their digit.

    Their 0..16 are scaled to 0..255, so that a pixel means the same as in every other image set.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    X = ((bunch.images.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)
    return Dataset(
        X=X,
        y=bunch.target.astype(np.int64),
        classes=tuple("0123456789"),
        name="digits",
        source="scikit-learn load_digits",
        encoding=image_encoding(X),
    )


NAMED_SETS.add(
    "digits",
    NamedSet(
        summary="handwritten digits of 43 people, bundled with scikit-learn",
        licence="CC BY 4.0 (UCI, Alpaydin and Kaynak)",
        rows=1797,
        shape=(8, 8),
        read=read_digits,
    ),
)
