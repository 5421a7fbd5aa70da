"""Clean rows, from an autoencoder that learned to restore damaged ones."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cuello.errors import CuelloWarning, InputError
from cuello.kinds import KINDS

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = ["denoise"]


def denoise(model: Autoencoder, X: npt.NDArray[Any], masked: float) -> npt.NDArray[np.float32]:
    """Restore checked rows; see ``Autoencoder.denoise``."""
    if not 0.0 <= masked < 1.0:
        raise InputError(
            f"masked={masked!r} must be in [0, 1): the share of elements that noise set to 0; 0 if "
            "it set none to 0, or that is not known."
        )
    if not KINDS[model.kind].restores:
        *most, last = [f"kind={name!r}" for name in sorted(KINDS) if KINDS[name].restores]
        able = f"{', '.join(most)} or {last}"
        warnings.warn(
            f"kind={model.kind!r} never saw a damaged row, so what it gives back may be little "
            f"cleaner; fit {able}.",
            CuelloWarning,
            stacklevel=3,
        )
    return model.scaling_.invert(model._reconstruct_scaled(X, lift=1.0 / (1.0 - masked)))
