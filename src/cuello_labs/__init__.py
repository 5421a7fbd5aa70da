"""Published experiments with autoencoders, one file each: protocol, published figures, ours."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from cuello.errors import unknown

if TYPE_CHECKING:
    from cuello_labs.base import Lab

__all__ = ["get", "names"]

_NO_LABS = ("base", "command", "kernels", "metrics", "page", "running")


def names() -> list[str]:
    """Return the name of every lab: that of its file, with hyphens.

    Examples
    --------
    >>> "font-architecture" in names()
    True
    """
    files = (module.name for module in pkgutil.iter_modules(__path__))
    return [
        name.replace("_", "-")
        for name in files
        if not name.startswith("_") and name not in _NO_LABS
    ]


def get(name: str) -> Lab:
    """Return a lab by its name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in names():
        raise unknown("lab", name, names())
    lab: Lab = importlib.import_module(f"cuello_labs.{name.replace('-', '_')}").LAB
    return lab
