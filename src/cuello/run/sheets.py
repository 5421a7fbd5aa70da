"""Images side by side, as PNG files and for pages."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cuello import atomic
from cuello.arrays import Array
from cuello.estimators import Autoencoder
from cuello.networks import NETWORKS

__all__ = ["PixelBytes", "contact_sheet", "enlargement", "to_pixels", "write_sheet"]

PixelBytes = npt.NDArray[np.uint8]

_LINE = 96  # grey


def write_sheet(model: Autoencoder, X: Array, out: Path, *, columns: int | None = None) -> None:
    """Write images side by side to ``.png``; of other samples, nothing."""
    shape = model.shape_
    if len(shape) < 2 or NETWORKS[model.network_].is_sequence:
        return
    low, high = model.scaling_.low, model.scaling_.high
    scaled = (model.scaling_.apply(X) - low) / max(high - low, 1e-12)
    pixels = to_pixels(scaled)
    # A line between images: dark ones run into one another.
    edges = [(0, 0), (0, 1), (0, 1), *[(0, 0)] * (pixels.ndim - 3)]
    pixels = np.pad(pixels, edges, constant_values=_LINE)
    height, width = pixels.shape[1:3]
    longest = max(height, width)
    sheet, _ = contact_sheet(pixels, longest=longest, columns=columns)
    factor = enlargement(height, width)
    if factor > 1:
        sheet = sheet.resize((int(sheet.width * factor), int(sheet.height * factor)), 0)
    atomic.write(out, lambda temporary: sheet.save(temporary, "PNG"))


def to_pixels(images: npt.NDArray[Any]) -> PixelBytes:
    """Return images (n, [channels,] height, width) as bytes (n, height, width[, 3]).

    Floats are clipped to 0..1, and NaN becomes black. Of neither one nor three channels the mean is
    shown.
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
    mean: PixelBytes = np.round(images.mean(axis=1)).astype(np.uint8)
    return mean


def enlargement(height: int, width: int, wanted: int = 56) -> float:
    """Return the factor that brings the longer side of an image near ``wanted`` pixels.

    A whole number for tiny images, which keeps their pixels square; 1 up to 96 pixels.
    """
    side = max(height, width)
    return math.ceil(wanted / side) if side <= 96 else 96 / side


def contact_sheet(
    pixels: PixelBytes, *, longest: int, columns: int | None = None
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
