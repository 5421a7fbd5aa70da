"""Data sets with a name: one file each, which adds an entry to :data:`NAMED_SETS`."""

from __future__ import annotations

import importlib
import pkgutil

from cuello.data.sets.base import NAMED_SETS, NamedSet, locate

__all__ = ["NAMED_SETS", "NamedSet", "locate"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
