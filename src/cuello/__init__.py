"""Autoencoders made practical: many examples, few labels, one command.

Examples
--------
>>> import cuello
>>> data = cuello.load("font")
>>> model = cuello.Autoencoder(kind="plain", hidden=(20,), latent_dim=2, epochs=5).fit(data.X)
>>> model.transform(data.X).shape
(32, 2)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cuello.anomalies import AnomalyDetector
    from cuello.api import fit
    from cuello.data import Dataset, load
    from cuello.errors import (
        CuelloError,
        CuelloWarning,
        DataError,
        DivergedError,
        InputError,
        RunError,
    )
    from cuello.estimators import Autoencoder
    from cuello.few_label import FewLabelClassifier, FewLabelRegressor
    from cuello.run import open_run

__version__ = "0.1.0"

__all__ = [
    "AnomalyDetector",
    "Autoencoder",
    "CuelloError",
    "CuelloWarning",
    "DataError",
    "Dataset",
    "DivergedError",
    "FewLabelClassifier",
    "FewLabelRegressor",
    "InputError",
    "RunError",
    "__version__",
    "fit",
    "load",
    "open_run",
]

_LAZY_IMPORTS = {
    "AnomalyDetector": "cuello.anomalies",
    "Autoencoder": "cuello.estimators",
    "Dataset": "cuello.data",
    "FewLabelClassifier": "cuello.few_label",
    "FewLabelRegressor": "cuello.few_label",
    "fit": "cuello.api",
    "load": "cuello.data",
    "open_run": "cuello.run.opened",
}
"""Home of each public name; all others are errors."""


def __getattr__(name: str) -> object:
    # Importing torch takes over a second: only a name that needs it pays for it.
    if name in __all__:
        return getattr(importlib.import_module(_LAZY_IMPORTS.get(name, "cuello.errors")), name)
    raise AttributeError(f"module 'cuello' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
