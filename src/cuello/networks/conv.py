"""Convolutional encoder and decoder for images of any size.

Shapes: B rows of a batch, C channels, H height and W width in pixels; h and w are H and W halved,
rounded up; K inputs of the decoder.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello.errors import InputError, unknown
from cuello.networks.layers import activation_layer, check_common, initialize

__all__ = ["UPS", "Residual", "UpConvolution", "build", "residual_block"]

UPS = ("transposed", "upsample")
"""How the decoder doubles height and width."""

Size = tuple[int, int]


class ToImage(nn.Module):
    """Rows (B, H, W) or (B, C, H, W) as images (B, C, H, W), the channels of a pixel side by side.

    Convolutions on processors are fastest in that order of memory, and one that is given it hands
    it on, so it is made once, here. Weights stay in PyTorch's usual order: reordering them measured
    no gain, and fused optimizers want a weight and what they keep about it in the same order.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W)."""
        x = x.unsqueeze(1) if x.ndim == 3 else x
        return x.contiguous(memory_format=torch.channels_last)


class FlattenPixels(nn.Module):
    """Images (B, C, H, W) as (B, H * W * C), without a copy where channels are side by side."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, H * W * C)."""
        return x.permute(0, 2, 3, 1).flatten(1)


class UnflattenPixels(nn.Module):
    """The inverse of :class:`FlattenPixels`.

    Parameters
    ----------
    channels, height, width : int
        Of the images.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.shape = (height, width, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W)."""
        # Not len(x): an exported network takes any number of rows.
        return x.view(x.shape[0], *self.shape).permute(0, 3, 1, 2)


class ToRow(nn.Module):
    """Images (B, C, H, W) as rows: the inverse of :class:`ToImage`, in the usual order of memory.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (C, H, W).
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.flat = len(shape) == 2

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, H, W) or (B, C, H, W)."""
        return (x.squeeze(1) if self.flat else x).contiguous()


class UpConvolution(nn.Conv2d):
    """Repeat each pixel 2 x 2 times (nearest up-sampling), convolve, and crop to a size.

    Unlike a transposed convolution it leaves no checkerboard: Odena et al., "Deconvolution and
    checkerboard artifacts", Distill 2016.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel_size : int
        Odd.
    size : (int, int)
        Height and width of the result: twice the input's, or one pixel less.

    Notes
    -----
    Repeating and convolving is one linear map. Pixels that repeat one another meet weights that can
    be added up beforehand, and what is left is a transposed convolution with a kernel one larger:
    4 x 4 / 4 multiplications a pixel and channel instead of 3 x 3, and no enlarged image is ever
    made. A training step is about twice as fast for it.

    Examples
    --------
    >>> UpConvolution(2, 3, 3, (5, 6))(torch.zeros(1, 2, 3, 3)).shape
    torch.Size([1, 3, 5, 6])
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int, size: Size) -> None:
        super().__init__(inputs, outputs, kernel_size, padding=kernel_size // 2)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, *size)."""
        # A transposed convolution runs the kernel backwards, from inputs to outputs.
        flipped = self.weight.flip(2, 3).transpose(0, 1)
        shifts = itertools.product((0, 1), repeat=2)
        added = sum(F.pad(flipped, (a, 1 - a, b, 1 - b)) for a, b in shifts)
        assert isinstance(added, Tensor)
        y = F.conv_transpose2d(x, added, self.bias, stride=2, padding=self.padding)  # type: ignore[arg-type]
        height, width = self.size
        return y[:, :, :height, :width]


class Residual(nn.Module):
    """Two convolutions around which the input is led: activation(x + F(x)).

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016,
    arXiv:1512.03385, figure 2.

    Parameters
    ----------
    inner : nn.Sequential
        F: maps (B, C, H, W) to the same shape.
    activation : nn.Module
        After the sum.
    """

    def __init__(self, inner: nn.Sequential, activation: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W)."""
        y: Tensor = self.activation(x + self.inner(x))
        return y


def residual_block(
    channels: int,
    *,
    activation: str = "relu",
    initializer: str = "default",
    batch_norm: bool = False,
    kernel_size: int = 3,
) -> Residual:
    """Build a :class:`Residual` of two convolutions that keep height, width and channels.

    Parameters
    ----------
    channels, activation, initializer, batch_norm, kernel_size
        As for :func:`build`.

    Examples
    --------
    >>> residual_block(4)(torch.zeros(1, 4, 5, 7)).shape
    torch.Size([1, 4, 5, 7])
    """

    def convolution() -> nn.Module:
        layer = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2)
        return initialize(layer, initializer)

    def norm() -> list[nn.Module]:
        return [nn.BatchNorm2d(channels)] * batch_norm

    between = activation_layer(activation)
    inner = nn.Sequential(convolution(), *norm(), between, convolution(), *norm())
    return Residual(inner, activation_layer(activation))


def build(
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
    up: str = "upsample",
    residual: bool = False,
    kernel_size: int = 3,
) -> tuple[nn.Sequential, nn.Sequential]:
    """Build a convolutional encoder and its mirror image.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (C, H, W) of one row, from 1 x 1 on; odd sizes too.
    inputs : int
        Inputs of the decoder (K).
    outputs : int
        Outputs of the encoder.
    hidden : sequence of int
        Channels of the stages. Each halves height and width, rounding up; the decoder's double
        them, to the exact size there was. Empty: one linear layer each.
    activation : str
        After every layer but the last of each half.
    latent_activation : str
        After the last layer of the encoder.
    initializer : str
        See :data:`cuello.networks.layers.INITIALIZERS`.
    batch_norm : bool
        Batch normalisation of each channel before each activation (Ioffe and Szegedy 2015).
    dropout : float
        Rate in [0, 1), at the end of each stage.
    up : str
        How the decoder doubles height and width: ``upsample`` repeats pixels and convolves
        (:class:`UpConvolution`), ``transposed`` is a transposed convolution of stride 2.
    residual : bool
        Whether a :class:`Residual` block follows each stage (precedes it in the decoder).
    kernel_size : int
        Side of every kernel in pixels, odd.

    Returns
    -------
    encoder, decoder : nn.Sequential
        As many blocks each; block i of the encoder is undone by block -1 - i of the decoder. The
        decoder's last block ends without activation, in the shape of a row.

    Raises
    ------
    InputError
        If rows are no images, or an option is not allowed.

    Examples
    --------
    >>> encoder, decoder = build((3, 7, 5), 2, 2, hidden=(4, 8))
    >>> [block(torch.zeros(1, 8, 2, 2)).shape for block in decoder[1:2]]
    [torch.Size([1, 4, 4, 3])]
    >>> decoder(encoder(torch.zeros(1, 3, 7, 5))).shape
    torch.Size([1, 3, 7, 5])
    """
    _check(shape, up, kernel_size)
    check_common(hidden, dropout)
    channels = [1 if len(shape) == 2 else shape[0], *hidden]
    sizes: list[Size] = [(shape[-2], shape[-1])]
    for _ in hidden:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    smallest = (channels[-1], *sizes[-1])

    def finish(width: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(width)] * batch_norm + [activation_layer(activation)]

    def drop() -> list[nn.Module]:
        return [nn.Dropout(dropout)] if dropout else []

    def around(width: int) -> list[nn.Module]:
        if not residual:
            return []
        block = residual_block(
            width,
            activation=activation,
            initializer=initializer,
            batch_norm=batch_norm,
            kernel_size=kernel_size,
        )
        return [block]

    def down(a: int, b: int) -> nn.Module:
        layer = nn.Conv2d(a, b, kernel_size, stride=2, padding=kernel_size // 2)
        return initialize(layer, initializer)

    def double(a: int, b: int, size: Size) -> nn.Module:
        layer = (
            UpConvolution(a, b, kernel_size, size)
            if up == "upsample"
            else nn.ConvTranspose2d(
                a,
                b,
                kernel_size,
                stride=2,
                padding=kernel_size // 2,
                output_padding=((size[0] + 1) % 2, (size[1] + 1) % 2),  # even sizes end one later
            )
        )
        return initialize(layer, initializer)

    encoder = [
        nn.Sequential(down(a, b), *finish(b), *around(b), *drop())
        for a, b in itertools.pairwise(channels)
    ]
    to_code = initialize(nn.Linear(math.prod(smallest), outputs), initializer)
    encoder.append(nn.Sequential(FlattenPixels(), to_code, activation_layer(latent_activation)))
    encoder[0].insert(0, ToImage())

    from_code = initialize(nn.Linear(inputs, math.prod(smallest)), initializer)
    decoder = [nn.Sequential(from_code, UnflattenPixels(*smallest))]
    for i in range(len(hidden), 0, -1):
        a, b = channels[i], channels[i - 1]
        decoder[-1].extend([*finish(a), *drop()])
        decoder.append(nn.Sequential(*around(a), double(a, b, sizes[i - 1])))
    decoder[-1].append(ToRow(shape))
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


def _check(shape: tuple[int, ...], up: str, kernel_size: int) -> None:
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise InputError(
            f"network='conv' cannot take rows of shape {shape}; rows must be images, (height, "
            "width) or (channels, height, width) with 1 or more of each; use network='dense'."
        )
    if up not in UPS:
        raise unknown("up", up, UPS)
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise InputError(
            f"kernel_size={kernel_size} must be odd and at least 1, so that a kernel has a middle "
            "pixel; 3 is usual."
        )
