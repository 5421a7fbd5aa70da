"""Readers: one file a format. A path becomes a Dataset by the format that claims it."""

from __future__ import annotations

from pathlib import Path

from cuello.data.dataset import Dataset
from cuello.data.readers.arrays import NPY, NPZ
from cuello.data.readers.base import NO_PICKLE, Format, Options
from cuello.data.readers.idx import IDX, find_parts, is_idx, read_folder
from cuello.data.readers.images import IMAGES
from cuello.data.readers.tables import CSV, PARQUET
from cuello.errors import DataError

__all__ = ["FORMATS", "Format", "Options", "format_of"]

MNIST_FOLDER = Format(what="folder in MNIST's layout of four files", suffixes=(), read=read_folder)

FORMATS: tuple[Format, ...] = (NPY, NPZ, IDX, CSV, PARQUET, IMAGES, MNIST_FOLDER)

_BY_SUFFIX = {suffix: form for form in FORMATS for suffix in form.suffixes}
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".ckpt")


def _refuse_pickle(path: Path, options: Options) -> Dataset:
    raise DataError(f"{path} is a pickle: {NO_PICKLE}.")


_BY_SUFFIX |= {
    suffix: Format(
        what="", suffixes=(), read=_refuse_pickle, takes=frozenset(Options.__annotations__)
    )
    for suffix in _PICKLES
}


def format_of(path: Path) -> Format:
    """Find the format of a file or folder.

    Raises
    ------
    DataError
        If no reader claims it; the message lists what is read.
    """
    if path.is_dir():
        return MNIST_FOLDER if "X" in find_parts(path) else IMAGES
    name = path.name.lower()
    compressed = name.endswith(".gz")
    found = _BY_SUFFIX.get(Path(name.removesuffix(".gz")).suffix)
    # Compressed, only CSV and IDX are read.
    if found is not None and (not compressed or found in (CSV, IDX)):
        return found
    if is_idx(path):
        return IDX
    known = ", ".join(suffix for form in FORMATS for suffix in form.suffixes)
    raise DataError(
        f"{path} is of no format that is read: {known}, IDX (*-idx3-ubyte, .gz or not), a "
        "folder of images, or a folder in MNIST's layout. Convert it to one of them."
    )
