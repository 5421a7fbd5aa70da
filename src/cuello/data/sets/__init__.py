"""The data sets with a name: one file each, which registers itself.

A new set is a new file in this folder that calls :func:`register`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from cuello.data.dataset import Dataset
from cuello.data.fetch import RemoteFile, data_folders, find
from cuello.errors import unknown

__all__ = ["NamedSet", "SetInfo", "get", "listing", "names", "register"]


@dataclass(frozen=True, kw_only=True)
class NamedSet:
    """A data set with a name.

    Parameters
    ----------
    name, what, licence : str
        What to type, one line of description, and under what terms it may be used.
    rows, test_rows : int
        Examples in the training and in the official test part.
    shape : tuple of int
        Shape of one example.
    read : callable
        ``read(part, offline) -> Dataset``; part is what follows the colon in ``name:part``, or
        the first of ``parts``.
    parts : tuple of str
        Names that may follow the colon; the first is the default.
    files, mirrors : tuple
        What has to be found or downloaded, and from where; empty for a bundled set.
    """

    name: str
    what: str
    licence: str
    rows: int
    test_rows: int = 0
    shape: tuple[int, ...]
    read: Callable[[str, bool], Dataset]
    parts: tuple[str, ...] = ()
    files: tuple[RemoteFile, ...] = ()
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SetInfo:
    """A line of :func:`listing`.

    Parameters
    ----------
    name, what, licence : str
    rows, test_rows : int
    shape : tuple of int
    download_bytes : int
        What a download would take; 0 for a bundled set.
    kind : {"bundled", "folder", "cache", "mirror"}
        Where it would come from.
    where : str
        The folder, or the address of the first mirror; empty for a bundled set.
    parts : tuple of str
    """

    name: str
    what: str
    licence: str
    rows: int
    test_rows: int
    shape: tuple[int, ...]
    download_bytes: int
    kind: str
    where: str
    parts: tuple[str, ...]


_registered: dict[str, NamedSet] = {}


def register(named: NamedSet) -> None:
    """Make a data set known by its name."""
    _registered[named.name] = named


def names() -> tuple[str, ...]:
    """Names of all sets, sorted.

    Examples
    --------
    >>> names()
    ('digits', 'fashion-mnist', 'font', 'mnist')
    """
    return tuple(sorted(_discovered()))


def get(name: str) -> NamedSet:
    """Look a set up.

    Raises
    ------
    InputError
        If there is none of that name; the message has the nearest ones.
    """
    sets = _discovered()
    if name not in sets:
        raise unknown("data set", name, sets)
    return sets[name]


def listing() -> tuple[SetInfo, ...]:
    """List all sets and where each would come from. Cheap: no file is opened.

    Examples
    --------
    >>> [(info.name, info.rows, info.kind) for info in listing()][0]
    ('digits', 1797, 'bundled')
    """
    return tuple(_info(_discovered()[name]) for name in names())


def _info(named: NamedSet) -> SetInfo:
    kind, where = _place(named)
    return SetInfo(
        name=named.name,
        what=named.what,
        licence=named.licence,
        rows=named.rows,
        test_rows=named.test_rows,
        shape=named.shape,
        download_bytes=sum(file.size for file in named.files),
        kind=kind,
        where=where,
        parts=named.parts,
    )


def _place(named: NamedSet) -> tuple[str, str]:
    if not named.files:
        return "bundled", ""
    found = [find(named.name, file) for file in named.files]
    here = [path.parent for path in found if path is not None]
    if len(here) < len(named.files):
        return "mirror", named.mirrors[0]
    kind = "folder" if here[0].parent in data_folders() else "cache"
    return kind, str(here[0])


@functools.cache
def _discovered() -> dict[str, NamedSet]:
    """Import every module of this folder once: each registers its sets."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return _registered
