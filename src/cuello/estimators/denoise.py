"""Clean samples, from an autoencoder that learned to restore damaged ones."""

from __future__ import annotations

import warnings

from cuello.arrays import Array, Float32s
from cuello.errors import Argument, CuelloWarning, Text
from cuello.estimators.network import TrainedNetwork
from cuello.kinds import KINDS
from cuello.options import Range

__all__ = ["remove_noise"]


def remove_noise(network: TrainedNetwork, X: Array, masked: float) -> Float32s:
    """Restore checked samples; see ``Autoencoder.denoise``."""
    Range(0.0, 1.0, open_high=True).check("masked", masked)
    if not network.module.restores:
        able = " or ".join(repr(name) for name in sorted(KINDS) if KINDS[name].restores)
        text: Text = [
            Argument("kind", network.kind),
            " never saw a damaged sample, so its reconstructions may be little cleaner; fit one of "
            f"kind {able}.",
        ]
        warnings.warn(CuelloWarning(text), stacklevel=3)
    return network.scaling.invert(network.reconstruct_scaled(X, factor=1.0 / (1.0 - masked)))
