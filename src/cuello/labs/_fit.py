"""Training in a lab: what a doctor would warn of is what a lab measures."""

from __future__ import annotations

import warnings
from typing import Any

import numpy.typing as npt

from cuello.errors import CuelloWarning
from cuello.estimators import Autoencoder

__all__ = ["fit"]


def fit(model: Autoencoder, X: npt.NDArray[Any], **options: Any) -> Autoencoder:
    """Fit an autoencoder as its own ``fit`` does, without warnings of collapsed latents or such."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CuelloWarning)
        model.fit(X, **options)
    return model
