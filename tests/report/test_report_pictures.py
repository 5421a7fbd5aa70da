from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from cuello.formats import rounded
from cuello.report.assets import data_uri, sprite


def test_rounding() -> None:
    assert rounded([0.123456, 12345.6, None, float("nan")]) == [0.1235, 12350.0, None, None]


def test_sprite_holds_every_image_in_its_place() -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 3, 6, 5), dtype=np.uint8)
    sheet = sprite(images, max_bytes=100_000)
    assert sheet is not None
    uri, columns, rows = sheet
    raw = base64.b64decode(uri.partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(raw)))
    assert pixels.shape == (6 * rows, 5 * columns, 3)
    for i, image in enumerate(images):
        top, left = i // columns * 6, i % columns * 5
        found = pixels[top : top + 6, left : left + 5]
        np.testing.assert_array_equal(found, image.transpose(1, 2, 0))


def test_sprite_that_cannot_fit() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=np.uint8)
    assert sprite(images, max_bytes=500) is None
    smaller = sprite(images, max_bytes=20_000)
    assert smaller is not None
    assert len(smaller[0]) <= 20_000


def test_large_images_are_stored_small() -> None:
    large = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    uri = data_uri(large)
    assert uri.startswith("data:image/jpeg")
    assert Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size == (128, 96)
