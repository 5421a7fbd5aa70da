"""A folder of image files, or a single one, becomes one array of pixels."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import UNLABELLED, Dataset
from cuello.data.readers.base import Format, Options, listed, stem
from cuello.data.readers.folders import SUFFIXES, Found, scan
from cuello.data.readers.pixels import Header, decode, probe
from cuello.errors import DataError

__all__ = ["IMAGES"]

Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")


def _read(path: Path, options: Options) -> Dataset:
    found = scan(path) if path.is_dir() else _single(path)
    root = path if path.is_dir() else path.parent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of damaged EXIF and of large images
        return _read_found(found, root, path, options)


def _read_found(found: Found, root: Path, path: Path, options: Options) -> Dataset:
    names = found.names + found.names_test
    headers, bad = _each(probe, root, names)
    _check_bad(bad, len(names), root, options)
    found = _without(found, bad)
    good = [header for header in headers if header is not None]
    mode, size, notes = _decide(good, found.names + found.names_test, root, options)
    X, bad_train = _decode_all(root, found.names, mode, size)
    X_test, bad_test = _decode_all(root, found.names_test, mode, size)
    late = bad_train | bad_test
    _check_bad(late, len(names), root, options)
    found = _without(found, late)
    bad |= late
    skipped = (f"{len(bad)} images cannot be read and were skipped: {listed(sorted(bad))}",)
    return Dataset(
        X=X,
        y=np.array(found.y, dtype=np.int64) if found.classes else None,
        classes=found.classes,
        name=stem(path),
        source=str(path),
        X_test=X_test if len(X_test) else None,
        y_test=np.array(found.y_test, dtype=np.int64) if found.classes and len(X_test) else None,
        row_names=found.names,
        encoding={"type": "images", "size": list(size), "mode": mode},
        notes=(*found.notes, *notes, *(skipped if bad else ())),
    )


def _single(path: Path) -> Found:
    return Found(
        names=(path.name,), y=(UNLABELLED,), names_test=(), y_test=(), classes=(), notes=()
    )


def _each(
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
) -> tuple[Pixels, dict[str, str]]:
    """Decode into one array, allocated once; drop the rows of files that fail."""
    shape = (len(names), *size) if mode == "L" else (len(names), 3, *size)
    X = np.empty(shape, dtype=np.uint8)
    row = {root / name: i for i, name in enumerate(names)}

    def work(path: Path) -> bool:
        X[row[path]] = decode(path, mode, size)
        return True

    done, bad = _each(work, root, names)
    return (X[np.array([ok is not None for ok in done])] if bad else X), bad


def _check_bad(bad: dict[str, str], total: int, root: Path, options: Options) -> None:
    if not bad:
        return
    name, reason = next(iter(bad.items()))
    if not options.skip_bad:
        more = f" ({len(bad)} of {total} images are like that)" if len(bad) > 1 else ""
        raise DataError(
            f"{root / name} cannot be read: {reason}{more}. Replace or remove it, or pass "
            "skip_bad=True (--skip-bad) to leave such images out."
        )
    if len(bad) == total:
        raise DataError(f"{root}: not one of {total} images can be read; {name}: {reason}.")


def _without(found: Found, bad: dict[str, str]) -> Found:
    train = [i for i, name in enumerate(found.names) if name not in bad]
    test = [i for i, name in enumerate(found.names_test) if name not in bad]
    if not train:
        raise DataError(
            f"no readable image is left outside the test part; {listed(bad)} cannot be read."
            if bad
            else "all images are in the test part; put the examples to learn from in 'train'."
        )
    return replace(
        found,
        names=tuple(found.names[i] for i in train),
        y=tuple(found.y[i] for i in train),
        names_test=tuple(found.names_test[i] for i in test),
        y_test=tuple(found.y_test[i] for i in test),
    )


def _decide(
    headers: Sequence[Header], names: Sequence[str], root: Path, options: Options
) -> tuple[str, tuple[int, int], tuple[str, ...]]:
    """Choose mode and size for all images, and say what that changes."""
    sizes = Counter(header.size for header in headers)
    mode = options.encoding.get("mode") or ("L" if all(h.gray for h in headers) else "RGB")
    wanted = options.encoding.get("size") or options.image_size
    if wanted is None and len(sizes) > 1:
        _refuse_sizes(headers, names, root, sizes)
    height, width = wanted or headers[0].size
    _check_memory(len(headers) * height * width * (1 if mode == "L" else 3), root, options)
    stretched = sum(n for (h, w), n in sizes.items() if abs(h * width / (w * height) - 1) > 0.05)
    notes = (f"{stretched} images were stretched to {height}x{width}, another height to width",)
    return mode, (int(height), int(width)), notes if stretched else ()


def _refuse_sizes(
    headers: Sequence[Header], names: Sequence[str], root: Path, sizes: Counter[tuple[int, int]]
) -> None:
    (height, width), count = sizes.most_common(1)[0]
    other = next(i for i, h in enumerate(headers) if h.size != headers[0].size)
    first, second = (f"{names[i]} is {_by(headers[i].size)}" for i in (0, other))
    option = f"{height}" if height == width else f"{height}x{width}"
    raise DataError(
        f"{root}: the images differ in size (height x width): {first}, {second}; the most common "
        f"is {height}x{width} ({count} of {len(headers)}). Bring them to one size with "
        f"image_size=({height}, {width}) (--image-size {option}), or any other."
    )


def _check_memory(needed: int, root: Path, options: Options) -> None:
    import psutil

    available = psutil.virtual_memory().available
    if needed > available:
        raise DataError(
            f"{root}: the images need {needed / 2**30:.1f} GiB of memory, {available / 2**30:.1f} "
            "GiB are free; pass a smaller image_size (--image-size)."
        )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


IMAGES = Format(
    what="image, or folder of images",
    suffixes=SUFFIXES,
    read=_read,
    takes=frozenset({"image_size"}),
    encoding="images",
)
