"""Arrays as pictures inside the page: single images, and one sprite sheet for thousands."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["Sprite", "contact_sheet", "data_uri", "enlargement", "sprite", "to_pixels"]

Pixels = npt.NDArray[np.uint8]

LARGEST_PNG = 64
"""Longest side, in pixels, up to which one image is stored without loss."""


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """Many small images in one: image i lies at row ``i // columns``, column ``i % columns``."""

    uri: str
    columns: int
    rows: int
    width: int
    """Of one image as stored, in pixels."""
    height: int


def to_pixels(images: npt.NDArray[Any]) -> Pixels:
    """Turn images into what a screen shows.

    Parameters
    ----------
    images : array, (n, height, width) or (n, channels, height, width)
        Floats in 0..1, or uint8. What lies outside the range is clipped, NaN becomes black.
        Neither one nor three channels: their mean is shown.

    Returns
    -------
    uint8 array, (n, height, width) or (n, height, width, 3)
    """
    if images.dtype != np.uint8:
        clipped = np.clip(np.nan_to_num(images.astype(np.float32), nan=0.0), 0.0, 1.0)
        images = np.round(clipped * 255).astype(np.uint8)
    if images.ndim == 3:
        return images
    if images.shape[1] == 3:
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    if images.shape[1] == 1:
        return images[:, 0]
    mean: Pixels = np.round(images.mean(axis=1)).astype(np.uint8)
    return mean


def enlargement(height: int, width: int, wanted: int = 56) -> float:
    """How many times larger an image is shown, so that its longer side is near ``wanted`` pixels.

    A whole number for tiny images, which keeps their pixels square; 1 up to 96 pixels.

    Examples
    --------
    >>> enlargement(8, 8), enlargement(28, 28), enlargement(64, 64), enlargement(384, 192)
    (7, 2, 1, 0.25)
    """
    side = max(height, width)
    return math.ceil(wanted / side) if side <= 96 else 96 / side


def data_uri(pixels: Pixels, *, longest: int = 128) -> str:
    """Encode one image, (height, width) or (height, width, 3), made smaller where it is large."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest, longest))
    return _encoded(picture, None if max(picture.size) <= LARGEST_PNG else 85)


def sprite(images: npt.NDArray[Any], *, max_bytes: int, longest: int = 96) -> Sprite | None:
    """Put all images on one sheet of at most ``max_bytes``.

    Lossless where that fits; then JPEG; then smaller and smaller images. None when even
    8 pixels a side are too much, or when there is no image.

    Parameters
    ----------
    images : array, (n, height, width) or (n, channels, height, width)
    max_bytes : int
        Bound on the length of the data URI.
    longest : int
        Longest side of one image as stored, in pixels.
    """
    pixels = to_pixels(images)
    if len(pixels) == 0:
        return None
    side = min(longest, max(pixels.shape[1:3]))
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
                rows = math.ceil(len(pixels) / columns)
                width, height = sheet.width // columns, sheet.height // rows
                return Sprite(uri=uri, columns=columns, rows=rows, width=width, height=height)
        side = int(side * min(0.8, max(0.4, math.sqrt(max_bytes / size))))
    return None


def contact_sheet(
    pixels: Pixels, *, longest: int, columns: int | None = None
) -> tuple[Image.Image, int]:
    """Draw images on a sheet, of about as many rows as columns; return it and its columns."""
    count, height, width = pixels.shape[:3]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    mode = "RGB" if pixels.ndim == 4 else "L"
    sheet = Image.new(mode, (columns * size[0], rows * size[1]))
    for index, image in enumerate(pixels):
        picture = Image.fromarray(image)
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        sheet.paste(picture, (index % columns * size[0], index // columns * size[1]))
    return sheet, columns


def _encoded(picture: Image.Image, jpeg_quality: int | None) -> str:
    buffer = io.BytesIO()
    if jpeg_quality is None:
        picture.save(buffer, "PNG", compress_level=9)
        kind = "png"
    else:
        picture.save(buffer, "JPEG", quality=jpeg_quality, optimize=True)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
