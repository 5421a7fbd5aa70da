"""Kinds of autoencoder, one file each; every module in this folder registers itself."""

from __future__ import annotations

import importlib
import pkgutil

from cuello.kinds.base import (
    KINDS,
    AutoencoderModule,
    Batch,
    Diagnosis,
    ParameterGroups,
    Parts,
    build_module,
    choose_kind,
)
from cuello.kinds.losses import LOSSES, OUTPUTS, ReconstructionLoss

__all__ = [
    "KINDS",
    "LOSSES",
    "OUTPUTS",
    "AutoencoderModule",
    "Batch",
    "Diagnosis",
    "Parts",
    "ParameterGroups",
    "ReconstructionLoss",
    "build_module",
    "choose_kind",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
