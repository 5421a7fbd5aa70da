"""Kinds of autoencoder, one file each; every module in this folder registers itself."""

from __future__ import annotations

import importlib
import pkgutil

from cuello.kinds.base import (
    KINDS,
    Autoencoder,
    Batch,
    Diagnosis,
    Parts,
    Players,
    build,
    options,
    register,
)
from cuello.kinds.losses import LOSS_NAMES, LOSSES, OUTPUTS, Reconstruction

__all__ = [
    "KINDS",
    "LOSSES",
    "LOSS_NAMES",
    "OUTPUTS",
    "Autoencoder",
    "Batch",
    "Diagnosis",
    "Parts",
    "Players",
    "Reconstruction",
    "build",
    "options",
    "register",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
