"""IDX, the format of MNIST: two zero bytes, a type, the number of axes, their lengths, values."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from cuello.arrays import Array
from cuello.data.dataset import Dataset
from cuello.data.readers.arrays import labelled_dataset
from cuello.data.readers.base import READERS, Reader, read_content, starts_with
from cuello.errors import DataError

__all__ = ["parse_idx"]

# Type byte to type; values are stored with the highest byte first.
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_SUFFIX = re.compile(r"[-.]idx\d-(ubyte|byte|short|int|float|double)(\.gz)?$", re.IGNORECASE)
_MNIST_FILES = {
    "X": "train-images{}idx3-ubyte",
    "y": "train-labels{}idx1-ubyte",
    "X_test": "t10k-images{}idx3-ubyte",
    "y_test": "t10k-labels{}idx1-ubyte",
}
_AGAIN = "copy or download it again"


def parse_idx(raw: bytes, source: str) -> Array:
    """Return the array that the (uncompressed) content of an IDX file holds."""
    if len(raw) < 4 or raw[0] or raw[1] or raw[2] not in TYPES or not raw[3]:
        raise DataError(
            f"does not start like an IDX file (bytes {raw[:4].hex(' ') or 'none'})",
            value=source,
            remedy=_AGAIN,
        )
    dtype, axes = np.dtype(TYPES[raw[2]]), raw[3]
    start = 4 + 4 * axes
    if len(raw) < start:
        raise DataError("ends inside its IDX header", value=source, remedy=_AGAIN)
    shape = tuple(int(length) for length in np.frombuffer(raw, ">u4", axes, offset=4))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        raise DataError(
            f"has {len(raw)} bytes (uncompressed), but by its IDX header it has shape {shape}, "
            f"{expected} bytes: it is damaged or incomplete",
            value=source,
            remedy=_AGAIN,
        )
    if len(shape) > 32:
        raise DataError(f"has {len(shape)} axes; samples have 2 to 4", value=source)
    values = np.frombuffer(raw, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def read_idx(path: Path, *, task: str | None = "auto") -> Dataset:
    """Read a file of samples, and the file of labels beside it that has the same name."""
    arrays = {"X": parse_idx(read_content(path), str(path))}
    if arrays["X"].ndim == 1:
        raise DataError(
            "holds one value a sample, so it is a file of labels",
            value=path,
            remedy="give the file of samples (images-idx3): labels beside it are found by name",
        )
    beside = _labels_beside(path)
    if beside is not None:
        arrays["y"] = parse_idx(read_content(beside), str(beside))
    notes = () if beside is None else (f"labels were taken from {beside.name}",)
    return labelled_dataset(arrays, path, task=task, notes=notes)


def read_mnist_folder(path: Path, *, task: str | None = "auto") -> Dataset:
    """Read a folder in MNIST's layout of four files, of which only the first is needed."""
    files = _mnist_files(path)
    arrays = {key: parse_idx(read_content(file), str(file)) for key, file in files.items()}
    return labelled_dataset(arrays, path, task=task)


def _is_idx(path: Path) -> bool:
    """Check a file's name (``*-idx3-ubyte``, ``.gz`` or not) and its first bytes."""
    head = starts_with(path, 4)
    by_content = len(head) == 4 and head[:2] == b"\0\0" and head[2] in TYPES and 0 < head[3] < 5
    return not path.is_dir() and (bool(_SUFFIX.search(path.name)) or by_content)


def _mnist_files(folder: Path) -> dict[str, Path]:
    """Return the files of MNIST's layout in a folder: X, y, X_test, y_test, those that exist."""
    return {
        key: path
        for key, pattern in _MNIST_FILES.items()
        for path in _variants(folder, pattern.format("-"), pattern.format("."))
        if path.is_file()
    }


def _labels_beside(path: Path) -> Path | None:
    plain = path.name.removesuffix(".gz")
    name, renamed = re.subn(r"images([-.])idx3", r"labels\1idx1", plain)
    files = _variants(path.parent, name) if renamed else []
    return next((file for file in files if file.is_file()), None)


def _variants(folder: Path, *names: str) -> list[Path]:
    return [folder / (name + end) for name in names for end in (".gz", "")]


READERS.add(
    "idx",
    Reader(
        display_name="IDX file (*-idx3-ubyte)",
        summary="MNIST's format, gzipped or not; labels are read from the file beside it.",
        suffixes=(".idx", ".ubyte"),
        read=read_idx,
        claims=_is_idx,
        compressed=True,
    ),
)
READERS.add(
    "mnist-folder",
    Reader(
        display_name="folder of MNIST's four files",
        summary="Images and labels of training and test, in IDX files.",
        read=read_mnist_folder,
        claims=lambda path: path.is_dir() and "X" in _mnist_files(path),
    ),
)
