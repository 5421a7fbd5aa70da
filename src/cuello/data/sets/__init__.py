"""Data sets with a name: one file each, which adds an entry to :data:`NAMED_SETS`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from cuello.data.dataset import Dataset
from cuello.data.fetch import RemoteFile, data_folders, find_file
from cuello.registry import Registry

__all__ = ["NAMED_SETS", "NamedSet", "locate"]


@dataclass(frozen=True, kw_only=True)
class NamedSet:
    """A data set with a name.

    Parameters
    ----------
    summary, licence : str
        One sentence, and under what terms it may be used.
    rows, test_rows : int
        Samples in the training and in the official test split.
    shape : tuple of int
        Shape of one sample.
    read : callable
        ``read(subset, offline) -> Dataset``.
    subsets : tuple of str
        Names that may follow a colon; the first is the default.
    files, mirrors : tuple
        Files on this machine or to be downloaded, and addresses; empty for a bundled set.
    """

    summary: str
    licence: str
    rows: int
    test_rows: int = 0
    shape: tuple[int, ...]
    read: Callable[[str, bool], Dataset]
    subsets: tuple[str, ...] = ()
    files: tuple[RemoteFile, ...] = ()
    mirrors: tuple[str, ...] = ()


NAMED_SETS: Registry[NamedSet] = Registry("data set")
"""Every data set by name; each module of this folder enters its own."""


def locate(name: str) -> tuple[str, str]:
    """Return where a set would come from, without opening a file: kind and place.

    Kinds are bundled (place is empty), folder, cache, and mirror (the address of the first).
    """
    named = NAMED_SETS[name]
    if not named.files:
        return "bundled", ""
    paths = [find_file(name, file) for file in named.files]
    folders = [path.parent for path in paths if path is not None]
    if len(folders) < len(named.files):
        return "mirror", named.mirrors[0]
    kind = "folder" if folders[0].parent in data_folders() else "cache"
    return kind, str(folders[0])


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
