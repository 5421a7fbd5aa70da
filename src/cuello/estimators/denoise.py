"""Clean samples, from an autoencoder that learned to restore damaged ones."""

from __future__ import annotations

import warnings

from cuello.arrays import Array, Float32s
from cuello.errors import CuelloWarning, InputError
from cuello.estimators.network import TrainedNetwork
from cuello.kinds import KINDS

__all__ = ["remove_noise"]


def remove_noise(network: TrainedNetwork, X: Array, masked: float) -> Float32s:
    """Restore checked samples; see ``Autoencoder.denoise``."""
    if not 0.0 <= masked < 1.0:
        raise InputError(
            argument="masked",
            value=masked,
            allowed="in [0, 1): the share of elements that noise set to 0",
            remedy="give 0 if it set none to 0, or the share is not known",
        )
    if not network.module.restores:
        *most, last = [f"kind={name!r}" for name in sorted(KINDS) if KINDS[name].restores]
        able = f"{', '.join(most)} or {last}"
        warnings.warn(
            f"kind={network.kind!r} never saw a damaged sample, so its reconstructions may be "
            f"little cleaner; fit {able}.",
            CuelloWarning,
            stacklevel=3,
        )
    return network.scaling.invert(network.reconstruct_scaled(X, factor=1.0 / (1.0 - masked)))
