"""A folder of image files, or a single one, becomes one array of pixels."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import UNLABELLED, Dataset
from cuello.data.readers.base import READERS, Reader, join_names, reason, stem
from cuello.data.readers.folders import SUFFIXES, ImageFiles, scan
from cuello.errors import Argument, DataError, Use

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["read_images"]

PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
GRAY = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"}
ORIENTATION = 0x0112  # EXIF tag; 5 to 8 turn the image by a quarter

Size = tuple[int, int]
"""Height and width."""
T = TypeVar("T")


def read_images(
    path: Path,
    *,
    image_size: Size | None = None,
    skip_bad: bool = False,
    encoding: Mapping[str, Any] = MappingProxyType({}),
) -> Dataset:
    """Read an image, or all images of a folder, into one array of pixels."""
    import psutil

    if path.is_dir():
        files, root = scan(path), path
    else:
        files, root = ImageFiles(names=(path.name,), codes={path.name: UNLABELLED}), path.parent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of damaged EXIF and of large images
        names = files.names + files.names_test
        headers, bad = _in_threads(lambda name: _probe(root / name), names)
        files = _leave_out(files, bad, len(names), root, skip_bad)
        sizes = {name: size for name, (size, _) in headers.items()}
        size = encoding.get("size") or image_size or _common_size(sizes, root)
        gray = all(is_gray for _, is_gray in headers.values())
        mode = encoding.get("mode") or ("L" if gray else "RGB")
        height, width = (int(side) for side in size)
        needed = len(sizes) * height * width * (1 if mode == "L" else 3)
        if needed > (free := psutil.virtual_memory().available):
            raise DataError(
                f"the images need {needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are "
                "free",
                value=root,
                remedy=("give a smaller ", Argument("image_size")),
            )
        X, late = _decode_all(root, files.names, mode, (height, width))
        X_test, late_test = _decode_all(root, files.names_test, mode, (height, width))
    late |= late_test
    files = _leave_out(files, late, len(names), root, skip_bad)
    bad |= late
    notes = files.notes
    stretched = sum(abs(h * width / (w * height) - 1) > 0.05 for h, w in sizes.values())
    if stretched:
        note = f"{stretched} images were stretched to {height}x{width}, another height to width"
        notes += (note,)
    if bad:
        skipped = join_names(sorted(bad))
        notes += (f"{len(bad)} images cannot be read and were skipped: {skipped}",)
    y, y_test = (
        np.array([files.codes[name] for name in split], dtype=np.int64)
        for split in (files.names, files.names_test)
    )
    return Dataset(
        X=X,
        y=y if files.classes else None,
        classes=files.classes,
        name=stem(path),
        source=str(path),
        X_test=X_test if len(X_test) else None,
        y_test=y_test if files.classes and len(X_test) else None,
        row_names=files.names,
        encoding={"type": "images", "size": [height, width], "mode": mode},
        notes=notes,
    )


def _in_threads(
    work: Callable[[str], T], names: Sequence[str]
) -> tuple[dict[str, T], dict[str, str]]:
    """Run over all files in threads (Pillow lets go of the GIL); return results, and failures."""

    def attempt(name: str) -> T | Exception:
        try:
            return work(name)
        except Exception as error:  # decoders raise nearly anything on damaged bytes
            return error

    with ThreadPoolExecutor(min(32, os.cpu_count() or 1)) as pool:
        results = dict(zip(names, pool.map(attempt, names), strict=True))
    good = {name: value for name, value in results.items() if not isinstance(value, Exception)}
    return good, {n: reason(value) for n, value in results.items() if isinstance(value, Exception)}


def _decode_all(
    root: Path, names: Sequence[str], mode: str, size: Size
) -> tuple[npt.NDArray[np.uint8], dict[str, str]]:
    """Decode into one array, allocated once; drop the files that fail."""
    X = np.empty((len(names), *(() if mode == "L" else (3,)), *size), dtype=np.uint8)
    position = {name: i for i, name in enumerate(names)}

    def work(name: str) -> None:
        X[position[name]] = _decode(root / name, mode, size)

    _, bad = _in_threads(work, names)
    return (X[np.array([name not in bad for name in names])] if bad else X), bad


def _leave_out(
    files: ImageFiles, bad: Mapping[str, str], total: int, root: Path, skip_bad: bool
) -> ImageFiles:
    """Return the files that can be read; refuse the others, unless they are to be skipped."""
    for name, why in list(bad.items())[:1]:
        if not skip_bad:
            more = f" ({len(bad)} of {total} images are like that)" if len(bad) > 1 else ""
            raise DataError(
                f"cannot be read: {why}{more}",
                value=root / name,
                remedy=(
                    "replace or remove it, or ",
                    Use("skip_bad", True),
                    " to leave such images out",
                ),
            )
        if len(bad) == total:
            raise DataError(f"not one of {total} images can be read; {name}: {why}", value=root)
    names = tuple(name for name in files.names if name not in bad)
    if not names:
        raise DataError(
            f"no readable image is left outside the test split; {join_names(bad)} cannot be read."
            if bad
            else "all images are in the test split; put the images to learn from in 'train'."
        )
    names_test = tuple(name for name in files.names_test if name not in bad)
    return replace(files, names=names, names_test=names_test)


def _common_size(sizes: Mapping[str, Size], root: Path) -> Size:
    """Return the one size of all images; refuse if they differ."""
    (first, size), *others = sizes.items()
    other = next((name for name, another in others if another != size), None)
    if other is None:
        return size
    (height, width), count = Counter(sizes.values()).most_common(1)[0]
    named = ", ".join(f"{n} is {'x'.join(map(str, sizes[n]))}" for n in (first, other))
    raise DataError(
        f"the images differ in size (height x width): {named}; the most common is "
        f"{height}x{width} ({count} of {len(sizes)})",
        value=root,
        remedy=(Use("image_size", (height, width)), ", or any other"),
    )


def _probe(path: Path) -> tuple[Size, bool]:
    """Return the size as seen, from the header alone, and whether the image is gray."""
    with _open_image(path) as image:
        width, height = image.size
        # Pillow turns TIFF by itself, and decodes a whole PNG to look for EXIF behind the pixels.
        tagged = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        turned = tagged and image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
        return ((width, height) if turned else (height, width)), image.mode in GRAY


def _decode(path: Path, mode: str, size: Size) -> npt.NDArray[np.uint8]:
    """Return the pixels, (height, width) in mode L or (3, height, width) in RGB.

    The EXIF orientation is applied, transparency is laid on white, 16-bit gray is scaled to
    0..255, and another size is stretched with antialiasing. The first of many pictures is taken.
    """
    from PIL import Image, ImageOps

    with _open_image(path) as opened:
        # JPEG can be decoded at 1/2, 1/4, 1/8 of its size: several times faster for large scans.
        opened.draft(None, (4 * max(size), 4 * max(size)))
        image = _opaque(ImageOps.exif_transpose(opened), mode)
        if image.size != size[::-1]:
            image = image.resize(size[::-1], Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
    return pixels if mode == "L" else np.moveaxis(pixels, 2, 0)


def _open_image(path: Path) -> Image:
    from PIL import Image

    Image.init()  # else formats beyond PNG, JPEG, BMP, GIF are unknown; cheap once done
    return Image.open(path, formats=PILLOW_FORMATS)


def _opaque(image: Image, mode: str) -> Image:
    from PIL import Image

    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise ValueError("its pixels go beyond 16 bits (0..65535); save 8 or 16 bits, or .npy")
        image = Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("its pixels are floats; save 8 or 16 bits, or a .npy array")
    elif image.has_transparency_data:
        front = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", front.size, "white"), front)
        # Straight from RGBA to L drops the alpha channel, which is opaque by now.
    return image if image.mode == mode else image.convert(mode)


READERS.add(
    "images",
    Reader(
        display_name="image, or folder of images",
        summary="Pixels as uint8, gray or RGB; sub-folders are classes, train/ and test/ splits.",
        suffixes=SUFFIXES,
        read=read_images,
        claims=Path.is_dir,
        encoding="images",
    ),
)
