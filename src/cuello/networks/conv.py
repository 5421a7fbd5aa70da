"""Convolutional encoder and decoder for images of any size.

Shapes: B samples of a batch, C channels, H height and W width in pixels, K inputs of the decoder.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Annotated, Any

from torch import Tensor, nn

from cuello.errors import InputError, Use
from cuello.networks.base import NETWORKS, Network
from cuello.networks.layers import (
    ACTIVATIONS,
    FlattenPixels,
    ToImage,
    ToSample,
    UnflattenPixels,
    UpConvolution,
    check_common,
    initialize,
)
from cuello.options import Range

__all__ = ["Residual", "build_conv"]


class Residual(nn.Module):
    """Two convolutions that keep the shape, with a connection past them: activation(x + inner(x)).

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016,
    arXiv:1512.03385, figure 2.
    """

    def __init__(
        self,
        channels: int,
        *,
        activation: str = "relu",
        initializer: str = "default",
        batch_norm: bool = False,
        kernel_size: int = 3,
    ) -> None:
        super().__init__()

        def convolution() -> list[nn.Module]:
            layer = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2)
            return [initialize(layer, initializer), *[nn.BatchNorm2d(channels)] * batch_norm]

        between = ACTIVATIONS[activation]()
        self.inner = nn.Sequential(*convolution(), between, *convolution())
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W)."""
        y: Tensor = self.activation(x + self.inner(x))
        return y


def build_conv(
    shape: tuple[int, ...],
    inputs: int,
    outputs: int,
    *,
    hidden: Sequence[int] = (32, 64),
    activation: str = "relu",
    latent_activation: str = "identity",
    initializer: str = "default",
    batch_norm: bool = False,
    dropout: float = 0.0,
    up: Annotated[str, ("upsample", "transposed")] = "upsample",
    residual: bool = False,
    kernel_size: Annotated[int, Range(3)] = 3,
) -> tuple[nn.Sequential, nn.Sequential]:
    """Build a convolutional encoder and its mirror image, of as many blocks.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (C, H, W) of one sample, from 1 x 1 on; odd sizes too.
    hidden : sequence of int
        Channels of the stages. Each halves height and width, rounding up; the decoder's double
        them, back to the exact size. Empty: one linear layer each.
    up : str
        The decoder's doubling of height and width: ``upsample`` repeats pixels and convolves,
        ``transposed`` is a transposed convolution of stride 2.
    residual : bool
        Whether a :class:`Residual` block follows each stage (precedes it in the decoder).
    kernel_size : int
        Side of every kernel in pixels, odd and at least 3: at stride 2 a kernel of one pixel never
        sees three of four.
    inputs, outputs, activation, latent_activation, initializer, batch_norm, dropout
        As for :func:`cuello.networks.dense.build_dense`; dropout ends each stage.

    Notes
    -----
    Source: LeCun, Bottou, Bengio and Haffner, Proc. IEEE 86 (1998), 2278-2324.
    """
    _check_conv(shape, kernel_size)
    check_common(hidden, dropout)
    channels = [1 if len(shape) == 2 else shape[0], *hidden]
    sizes: list[tuple[int, int]] = [(shape[-2], shape[-1])]
    for _ in hidden:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    smallest = (channels[-1], *sizes[-1])

    def finish(width: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(width)] * batch_norm + [ACTIVATIONS[activation]()]

    def drop() -> list[nn.Module]:
        return [nn.Dropout(dropout)] if dropout else []

    def around(width: int) -> list[nn.Module]:
        options: Any = {"activation": activation, "initializer": initializer}
        options |= {"batch_norm": batch_norm, "kernel_size": kernel_size}
        return [Residual(width, **options)] if residual else []

    halving: Any = {"kernel_size": kernel_size, "stride": 2, "padding": kernel_size // 2}

    def down(a: int, b: int) -> nn.Module:
        return initialize(nn.Conv2d(a, b, **halving), initializer)

    def double(a: int, b: int, size: tuple[int, int]) -> nn.Module:
        if up == "upsample":
            return initialize(UpConvolution(a, b, kernel_size, size), initializer)
        one_later = ((size[0] + 1) % 2, (size[1] + 1) % 2)  # where the size is even
        layer = nn.ConvTranspose2d(a, b, output_padding=one_later, **halving)
        return initialize(layer, initializer)

    encoder = [
        nn.Sequential(down(a, b), *finish(b), *around(b), *drop())
        for a, b in itertools.pairwise(channels)
    ]
    to_latent = initialize(nn.Linear(math.prod(smallest), outputs), initializer)
    encoder.append(nn.Sequential(FlattenPixels(), to_latent, ACTIVATIONS[latent_activation]()))
    encoder[0].insert(0, ToImage())

    from_latent = initialize(nn.Linear(inputs, math.prod(smallest)), initializer)
    decoder = [nn.Sequential(from_latent, UnflattenPixels(*smallest))]
    for i in range(len(hidden), 0, -1):
        a, b = channels[i], channels[i - 1]
        decoder[-1].extend([*finish(a), *drop()])
        decoder.append(nn.Sequential(*around(a), double(a, b, sizes[i - 1])))
    decoder[-1].append(ToSample(shape))
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


def _check_conv(shape: tuple[int, ...], kernel_size: int) -> None:
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise InputError(
            f"cannot take samples of shape {shape}, only images: (height, width) or (channels, "
            "height, width) with 1 or more of each",
            argument="network",
            value="conv",
            remedy=Use("network", "dense"),
        )
    if kernel_size % 2 == 0:
        raise InputError(
            argument="kernel_size",
            value=kernel_size,
            allowed="odd, so that a kernel has a middle pixel",
            remedy=Use("kernel_size", 3),
        )


NETWORKS.add("conv", Network(build_conv), aliases=("cnn",))
