"""Readers: one file a format, which registers itself. A new one is a new file in this folder."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from cuello.data.readers.base import NO_PICKLE, READERS, Reader
from cuello.errors import DataError

__all__ = ["READERS", "Reader", "reader_of"]

_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".ckpt")

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def reader_of(path: Path) -> Reader:
    """Return the reader of a file or folder: by its suffix, else the first that claims it."""
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    if not path.is_dir():
        suffix = Path(plain).suffix
        if suffix in _PICKLES:
            raise DataError("is a pickle", value=path, remedy=NO_PICKLE)
        for reader in READERS.values():
            if suffix in reader.suffixes and (reader.compressed or plain == name):
                return reader
    for reader in READERS.values():
        if reader.claims(path):
            return reader
    allowed = [", ".join(entry.suffixes) or entry.display_name for entry in READERS.values()]
    raise DataError(
        "is of no format that can be read",
        value=path,
        allowed=", ".join(allowed),
        remedy="convert it to one of them",
    )
