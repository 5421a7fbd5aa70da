"""Data sets with a name: one file each, which registers itself.

A new set is a new file in this folder that adds an entry to :data:`NAMED_SETS`.
"""

from __future__ import annotations

import importlib
import pkgutil

from cuello.data.sets.base import NAMED_SETS, NamedSet, locate, read_named_set

__all__ = ["NAMED_SETS", "NamedSet", "locate", "read_named_set"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
