"""Arrays as pictures inside the page: single images, and one sprite sheet for thousands."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy.typing as npt
from PIL import Image

from cuello.run.sheets import PixelBytes, contact_sheet, to_pixels

__all__ = ["data_uri", "sprite"]

LARGEST_PNG = 64
"""Longest side, in pixels, up to which one image is stored without loss."""

LONGEST_SIDE = 96
"""Of an image on a sheet, in pixels."""


def data_uri(pixels: PixelBytes, *, longest: int = 128) -> str:
    """Encode one image, (height, width) or (height, width, 3), made smaller where it is large."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest, longest))
    return _encoded(picture, None if max(picture.size) <= LARGEST_PNG else 85)


def sprite(images: npt.NDArray[Any], *, max_bytes: int) -> tuple[str, int, int] | None:
    """Put one image or more on one sheet; return a data URI of so many bytes, columns and rows.

    Image i lies at row ``i // columns``, column ``i % columns``. Lossless where that fits; then
    JPEG; then smaller and smaller images. None when even 8 pixels a side are too much.
    """
    pixels = to_pixels(images)
    side = min(LONGEST_SIDE, max(pixels.shape[1:3]))
    smallest = min(8, side)
    while side >= smallest:
        sheet, columns = contact_sheet(pixels, longest=side)
        raw = sheet.width * sheet.height * len(sheet.getbands())
        size = 0
        # Without loss images rarely shrink to less than a tenth: not worth the try beyond.
        for quality in (None, 80) if raw < 10 * max_bytes else (80,):
            uri = _encoded(sheet, quality)
            size = len(uri)
            if size <= max_bytes:
                return uri, columns, math.ceil(len(pixels) / columns)
        side = int(side * min(0.8, max(0.4, math.sqrt(max_bytes / size))))
    return None


def _encoded(picture: Image.Image, jpeg_quality: int | None) -> str:
    buffer = io.BytesIO()
    if jpeg_quality is None:
        picture.save(buffer, "PNG", compress_level=9)
        kind = "png"
    else:
        picture.save(buffer, "JPEG", quality=jpeg_quality, optimize=True)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
