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
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import UNLABELLED, Dataset
from cuello.data.readers.base import READERS, Reader, join_names, stem
from cuello.data.readers.folders import SUFFIXES, ImageFiles, scan
from cuello.data.readers.pixels import Header, decode, probe
from cuello.errors import Argument, DataError, Use

__all__ = ["read_images"]

T = TypeVar("T")
Encoding = Mapping[str, Any]


def read_images(
    path: Path,
    *,
    image_size: tuple[int, int] | None = None,
    skip_bad: bool = False,
    encoding: Encoding = MappingProxyType({}),
) -> Dataset:
    """Read an image, or all images of a folder, into one array of pixels."""
    if path.is_dir():
        files, root = scan(path), path
    else:
        files, root = ImageFiles(names=(path.name,), y=(UNLABELLED,)), path.parent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of damaged EXIF and of large images
        names = files.names + files.names_test
        headers, bad = _in_threads(probe, root, names)
        _check_bad(bad, len(names), root, skip_bad)
        files = _leave_out(files, bad)
        good = [header for header in headers if header is not None]
        names_left = files.names + files.names_test
        size = encoding.get("size") or image_size or _common_size(good, names_left, root)
        mode = encoding.get("mode") or ("L" if all(h.gray for h in good) else "RGB")
        height, width = (int(side) for side in size)
        _check_memory(len(good) * height * width * (1 if mode == "L" else 3), root)
        X, bad_train = _decode_all(root, files.names, mode, (height, width))
        X_test, bad_test = _decode_all(root, files.names_test, mode, (height, width))
    late = bad_train | bad_test
    _check_bad(late, len(names), root, skip_bad)
    files = _leave_out(files, late)
    bad |= late
    notes = files.notes + _note_stretched(good, height, width)
    if bad:
        skipped = join_names(sorted(bad))
        notes += (f"{len(bad)} images cannot be read and were skipped: {skipped}",)
    return Dataset(
        X=X,
        y=np.array(files.y, dtype=np.int64) if files.classes else None,
        classes=files.classes,
        name=stem(path),
        source=str(path),
        X_test=X_test if len(X_test) else None,
        y_test=np.array(files.y_test, dtype=np.int64) if files.classes and len(X_test) else None,
        row_names=files.names,
        encoding={"type": "images", "size": [height, width], "mode": mode},
        notes=notes,
    )


def _in_threads(
    work: Callable[[Path], T], root: Path, names: Sequence[str]
) -> tuple[list[T | None], dict[str, str]]:
    """Run over all files in threads (Pillow lets go of the GIL); collect what failed and why."""

    def attempt(name: str) -> tuple[T | None, str]:
        try:
            return work(root / name), ""
        except Exception as error:  # decoders raise nearly anything on damaged bytes
            return None, " ".join(str(error).split()) or type(error).__name__

    with ThreadPoolExecutor(min(32, os.cpu_count() or 1)) as pool:
        results = list(pool.map(attempt, names))
    bad = {name: reason for name, (_, reason) in zip(names, results, strict=True) if reason}
    return [value for value, _ in results], bad


def _decode_all(
    root: Path, names: Sequence[str], mode: str, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], dict[str, str]]:
    """Decode into one array, allocated once; drop the files that fail."""
    shape = (len(names), *size) if mode == "L" else (len(names), 3, *size)
    X = np.empty(shape, dtype=np.uint8)
    position = {root / name: i for i, name in enumerate(names)}

    def work(path: Path) -> bool:
        X[position[path]] = decode(path, mode, size)
        return True

    done, bad = _in_threads(work, root, names)
    return (X[np.array([ok is not None for ok in done])] if bad else X), bad


def _check_bad(bad: dict[str, str], total: int, root: Path, skip_bad: bool) -> None:
    if not bad:
        return
    name, why = next(iter(bad.items()))
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


def _leave_out(files: ImageFiles, bad: dict[str, str]) -> ImageFiles:
    train = [i for i, name in enumerate(files.names) if name not in bad]
    test = [i for i, name in enumerate(files.names_test) if name not in bad]
    if not train:
        raise DataError(
            f"no readable image is left outside the test split; {join_names(bad)} cannot be read."
            if bad
            else "all images are in the test split; put the images to learn from in 'train'."
        )
    return replace(
        files,
        names=tuple(files.names[i] for i in train),
        y=tuple(files.y[i] for i in train),
        names_test=tuple(files.names_test[i] for i in test),
        y_test=tuple(files.y_test[i] for i in test),
    )


def _common_size(headers: Sequence[Header], names: Sequence[str], root: Path) -> tuple[int, int]:
    """Return the one size of all images; refuse if they differ."""
    sizes = Counter(header.size for header in headers)
    if len(sizes) == 1:
        return headers[0].size
    (height, width), count = sizes.most_common(1)[0]
    other = next(i for i, h in enumerate(headers) if h.size != headers[0].size)
    first, second = (f"{names[i]} is {'x'.join(map(str, headers[i].size))}" for i in (0, other))
    raise DataError(
        f"the images differ in size (height x width): {first}, {second}; the most common is "
        f"{height}x{width} ({count} of {len(headers)})",
        value=root,
        remedy=(Use("image_size", (height, width)), ", or any other"),
    )


def _note_stretched(headers: Sequence[Header], height: int, width: int) -> tuple[str, ...]:
    ratios = [h * width / (w * height) for h, w in (header.size for header in headers)]
    stretched = sum(abs(ratio - 1) > 0.05 for ratio in ratios)
    note = f"{stretched} images were stretched to {height}x{width}, another height to width"
    return (note,) if stretched else ()


def _check_memory(needed: int, root: Path) -> None:
    import psutil

    available = psutil.virtual_memory().available
    if needed > available:
        raise DataError(
            f"the images need {needed / 2**30:.1f} GiB of memory, {available / 2**30:.1f} GiB are "
            "free",
            value=root,
            remedy=("give a smaller ", Argument("image_size")),
        )


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
