"""One image file at a time: what it is, and its pixels in the wanted mode and size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Header", "decode", "probe"]

PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
GRAY = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"}
ORIENTATION = 0x0112  # EXIF tag; 5 to 8 turn the image by a quarter


@dataclass(frozen=True)
class Header:
    """Height and width as seen (EXIF orientation applied), and whether there is no colour."""

    size: tuple[int, int]
    gray: bool


def probe(path: Path) -> Header:
    """Read the header of an image, not its pixels."""
    with _open_image(path) as image:
        width, height = image.size
        # Pillow turns TIFF by itself, and decodes a whole PNG to look for EXIF behind the pixels.
        tagged = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        turned = tagged and image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
        return Header((width, height) if turned else (height, width), image.mode in GRAY)


def decode(path: Path, mode: str, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Read the pixels of an image.

    The EXIF orientation is applied, transparency is laid on white, 16-bit gray is scaled to
    0..255, and another size is stretched to the wanted one with antialiasing. Of a file with
    several pictures the first one is taken.

    Parameters
    ----------
    path : Path
    mode : {"L", "RGB"}
    size : (int, int)
        Height and width.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (3, height, width)
    """
    from PIL import Image, ImageOps

    with _open_image(path) as opened:
        # JPEG can be decoded at 1/2, 1/4, 1/8 of its size: several times faster for large scans.
        opened.draft(None, (4 * max(size), 4 * max(size)))
        image: Image.Image = ImageOps.exif_transpose(opened)
        image = _opaque(image, mode)
        if image.size != (size[1], size[0]):
            image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
    return pixels if mode == "L" else np.moveaxis(pixels, 2, 0)


def _open_image(path: Path) -> Image:
    from PIL import Image

    Image.init()  # else formats beyond PNG, JPEG, BMP, GIF are not known yet; cheap once done
    return Image.open(path, formats=PILLOW_FORMATS)


def _opaque(image: Image, mode: str) -> Image:
    from PIL import Image

    if image.mode.startswith("I"):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    elif image.mode == "F":
        raise ValueError("its pixels are floats; save 8 or 16 bits, or a .npy array")
    elif image.has_transparency_data:
        front = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", front.size, "white"), front)
        # Straight from RGBA to L drops the alpha channel, which is opaque by now.
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    wide = pixels.astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise ValueError("its pixels go beyond 16 bits (0..65535); save 8 or 16 bits, or .npy")
    return ((wide * 255 + 32767) // 65535).astype(np.uint8)
