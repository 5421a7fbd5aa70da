"""Parts of a page: templates, files, pictures, JSON, Plotly.js, and the policy for its scripts."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import importlib.resources
import io
import json
import math
from typing import Any

import numpy.typing as npt
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from cuello.data.readers.base import join_names
from cuello.formats import duration, number_text, shorten
from cuello.run.sheets import PixelBytes, contact_sheet, to_pixels

__all__ = [
    "data_uri",
    "digest",
    "draw",
    "packed",
    "plotly",
    "script_json",
    "security_policy",
    "sprite",
    "text_of",
    "utf8",
]

LARGEST_PNG = 64
"""Longest side, in pixels, up to which one image is stored without loss."""

LONGEST_SIDE = 96
"""Of an image on a sheet, in pixels."""


@functools.cache
def text_of(name: str, package: str = "cuello.report") -> str:
    """Return a file of a package as text."""
    return (importlib.resources.files(package) / name).read_text(encoding="utf-8")


@functools.cache
def plotly() -> tuple[str, str]:
    """Return Plotly.js as base64 of gzip (4.8 MB become 2.0), and the hash of its text."""
    source = importlib.resources.files("plotly") / "package_data" / "plotly.min.js"
    text = source.read_bytes()
    return packed(text), digest(text)


def packed(content: bytes) -> str:
    """Return bytes as base64 of gzip; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")


def digest(text: bytes) -> str:
    """Return the SHA-256 of a script as a content security policy writes it."""
    return base64.b64encode(hashlib.sha256(text).digest()).decode("ascii")


def security_policy(script: str, *hashes: str, more: str = "") -> str:
    """Return a policy that lets a page run its script, others by their hashes, and nothing else."""
    allowed = " ".join(f"'sha256-{one}'" for one in (digest(script.encode()), *hashes))
    return (
        f"default-src 'none'; script-src {allowed}{more}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def script_json(value: object) -> str:
    """Write JSON that cannot end the script element around it: "<" becomes "\\u003c"."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def utf8(page: str) -> str:
    """Return a page that can be written as UTF-8."""
    # A file name may hold bytes that are no text (lone surrogates).
    return page.encode("utf-8", "replace").decode("utf-8")


def draw(template: str, **values: object) -> Markup:
    """Fill in ``package/file.html`` of ``package/templates``; all but Markup is escaped in HTML."""
    return Markup(_environment().get_template(template).render(values).rstrip())


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(
            lambda name: text_of(f"templates/{name.partition('/')[2]}", name.partition("/")[0])
        ),
        autoescape=lambda name: str(name).endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number_text, "shorten": shorten, "duration": duration}
    environment.filters["names"] = join_names
    environment.filters["decimals"] = "{0:.{1}f}".format
    return environment


def data_uri(pixels: PixelBytes, *, longest: int = 128) -> str:
    """Encode one image, (height, width) or (height, width, 3), made smaller where it is large."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest, longest))
    return _encoded(picture, None if max(picture.size) <= LARGEST_PNG else 85)


def sprite(images: npt.NDArray[Any], *, max_bytes: int) -> tuple[str, int, int] | None:
    """Put images on one sheet; return a data URI of at most so many bytes, columns and rows.

    Lossless where that fits; then JPEG; then smaller and smaller images. None when even 8 pixels a
    side are too much.
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
