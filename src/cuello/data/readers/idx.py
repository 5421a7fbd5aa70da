"""IDX, the format of MNIST: two zero bytes, a type, the number of axes, their lengths, values."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import Dataset
from cuello.data.readers.arrays import labelled
from cuello.data.readers.base import Format, Options, content, starts_with, stem
from cuello.errors import DataError

__all__ = ["IDX", "find_parts", "is_idx", "parse", "read_folder"]

# Type byte to type; values are stored with the highest byte first.
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_NAME = re.compile(r"[-.]idx\d-(ubyte|byte|short|int|float|double)(\.gz)?$", re.IGNORECASE)
_PARTS = {
    "X": "train-images{}idx3-ubyte",
    "y": "train-labels{}idx1-ubyte",
    "X_test": "t10k-images{}idx3-ubyte",
    "y_test": "t10k-labels{}idx1-ubyte",
}


def parse(raw: bytes, where: str) -> npt.NDArray[Any]:
    """Read the (uncompressed) content of an IDX file.

    Returns
    -------
    ndarray
        Of the stored shape and type, writable.

    Raises
    ------
    DataError
        If the header is not IDX, or the length is not what the header says.

    Examples
    --------
    >>> parse(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), "two labels").tolist()
    [7, 9]
    """
    if len(raw) < 4 or raw[0] or raw[1] or raw[2] not in TYPES or not raw[3]:
        raise DataError(
            f"{where} does not start like an IDX file (bytes {raw[:4].hex(' ') or 'none'}); "
            "copy or download it again."
        )
    dtype, axes = np.dtype(TYPES[raw[2]]), raw[3]
    start = 4 + 4 * axes
    if len(raw) < start:
        raise DataError(f"{where} ends inside its IDX header; copy or download it again.")
    shape = [int(length) for length in np.frombuffer(raw, ">u4", axes, offset=4)]
    expected = start + math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        raise DataError(
            f"{where} has {len(raw)} bytes (uncompressed), but its IDX header tells of shape "
            f"{tuple(shape)}, {expected} bytes: it is damaged or incomplete; copy or download it "
            "again."
        )
    if len(shape) > 32:
        raise DataError(f"{where} has {len(shape)} axes; examples have 2 to 4.")
    values = np.frombuffer(raw, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def is_idx(path: Path) -> bool:
    """Whether a file is IDX by its name (``*-idx3-ubyte``, ``.gz`` or not) or its first bytes."""
    head = starts_with(path, 4)
    by_content = len(head) == 4 and head[:2] == b"\0\0" and head[2] in TYPES and 0 < head[3] < 5
    return bool(_NAME.search(path.name)) or by_content


def find_parts(folder: Path) -> dict[str, Path]:
    """Find the files of MNIST's layout in a folder: X, y, X_test, y_test, those that are there."""
    return {
        key: path
        for key, pattern in _PARTS.items()
        for path in _variants(folder, pattern.format("-"), pattern.format("."))
        if path.is_file()
    }


def read_folder(path: Path, options: Options) -> Dataset:
    """Read a folder in MNIST's layout of four files."""
    parts = {key: parse(content(file), str(file)) for key, file in find_parts(path).items()}
    return labelled(parts, path, task=options.task)


def _read(path: Path, options: Options) -> Dataset:
    X = parse(content(path), str(path))
    if X.ndim == 1:
        raise DataError(
            f"{path} holds one value a row, so it is a file of labels; give the file of examples "
            "(images-idx3): the labels beside it are found by name."
        )
    beside = _labels_beside(path)
    parts = {"X": X} if beside is None else {"X": X, "y": parse(content(beside), str(beside))}
    notes = () if beside is None else (f"labels were taken from {beside.name}",)
    return labelled(parts, path, task=options.task, notes=notes, name=stem(path))


def _labels_beside(path: Path) -> Path | None:
    name = re.sub(r"images([-.])idx3", r"labels\1idx1", path.name.removesuffix(".gz"))
    if name == path.name.removesuffix(".gz"):
        return None
    return next((file for file in _variants(path.parent, name) if file.is_file()), None)


def _variants(folder: Path, *names: str) -> list[Path]:
    return [folder / (name + end) for name in names for end in (".gz", "")]


IDX = Format(what="IDX, MNIST's format (.gz or not)", suffixes=(".idx", ".ubyte"), read=_read)
