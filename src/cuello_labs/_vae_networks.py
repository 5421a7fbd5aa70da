"""The published encoder and decoder of the latent plane of digits."""

from __future__ import annotations

from typing import Any

from torch import nn

from cuello.networks.layers import FlattenPixels, ToImage, ToSample, UnflattenPixels, initialize

__all__ = ["decoder", "encoder"]


def encoder(side: int = 28) -> nn.Module:
    """Make (B, side, side) -> (B, 4): two means, two log-variances."""
    down: Any = {"kernel_size": 3, "stride": 2, "padding": 1}
    quarter = side // 4
    layers = (nn.Conv2d(1, 10, **down), nn.Conv2d(10, 20, **down))
    dense = (nn.Linear(20 * quarter**2, 16), nn.Linear(16, 4))
    for layer in (*layers, *dense):
        initialize(layer, "xavier_uniform")
    return nn.Sequential(
        ToImage(),
        *(layers[0], nn.ReLU(), layers[1], nn.ReLU()),
        FlattenPixels(),
        *(dense[0], nn.ReLU(), dense[1]),
    )


def decoder(side: int = 28) -> nn.Module:
    """Make (B, 2) -> (B, side, side), before the sigmoid."""
    double: Any = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}
    quarter = side // 4
    dense = nn.Linear(2, 64 * quarter**2)
    layers = (
        nn.ConvTranspose2d(64, 20, **double),
        nn.ConvTranspose2d(20, 10, **double),
        nn.ConvTranspose2d(10, 1, kernel_size=3, padding=1),
    )
    for layer in (dense, *layers):
        initialize(layer, "xavier_uniform")
    return nn.Sequential(
        *(dense, nn.ReLU(), UnflattenPixels(64, quarter, quarter)),
        *(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2]),
        ToSample((side, side)),
    )
