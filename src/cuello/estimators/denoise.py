"""Clean samples, from an autoencoder that learned to restore damaged ones."""

from __future__ import annotations

import warnings

from cuello.arrays import Array, Float32s
from cuello.errors import CuelloWarning
from cuello.estimators.network import TrainedNetwork
from cuello.kinds import KINDS
from cuello.options import Range

__all__ = ["remove_noise"]


def remove_noise(network: TrainedNetwork, X: Array, masked: float) -> Float32s:
    """Restore checked samples; see ``Autoencoder.denoise``."""
    Range(0.0, 1.0, open_high=True).check("masked", masked)
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
