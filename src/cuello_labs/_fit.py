"""Training in a lab: what a doctor would warn of is what a lab measures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt

from cuello.errors import CuelloWarning
from cuello.estimators import Autoencoder
from cuello.estimators.many import fit_many

__all__ = ["fit", "fit_quietly"]


def fit(model: Autoencoder, X: npt.NDArray[Any], **options: Any) -> Autoencoder:
    """Fit an autoencoder as its own ``fit`` does, without warnings of collapsed latents or such."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CuelloWarning)
        model.fit(X, **options)
    return model


def fit_quietly(models: Sequence[Autoencoder], X: npt.NDArray[Any]) -> Iterator[tuple[int, bool]]:
    """Fit estimators as :func:`fit_many` does; yield the index of each, and whether it diverged.

    No warnings: labs provoke dead latents and encoders that copy on purpose.
    """
    fits = fit_many(models, X)
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CuelloWarning)
            fitted = next(fits, None)
        if fitted is None:
            return
        yield fitted[0], fitted[1] is not None
