"""Layers between samples, images and vectors of pixels.

Shapes: B samples of a batch, C channels, H height and W width in pixels.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["FlattenPixels", "ToImage", "ToSample", "UnflattenPixels", "UpConvolution"]


class ToImage(nn.Module):
    """Turn samples (B, H, W) or (B, C, H, W) into (B, C, H, W) with channels innermost in memory.

    Convolutions on processors are fastest in that order of memory and keep it, so it is made once,
    here. Weights stay in PyTorch's usual order: reordering them measured no gain, and fused
    optimizers want a weight and its state in the same order.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W)."""
        x = x.unsqueeze(1) if x.ndim == 3 else x
        return x.contiguous(memory_format=torch.channels_last)


class FlattenPixels(nn.Module):
    """Turn images (B, C, H, W) into (B, H * W * C), without a copy where channels are innermost."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, H * W * C)."""
        return x.permute(0, 2, 3, 1).flatten(1)


class UnflattenPixels(nn.Module):
    """Turn (B, H * W * C) into images (B, C, H, W): undoes :class:`FlattenPixels`.

    Parameters
    ----------
    channels, height, width : int
        Size of the images.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.shape = (height, width, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W)."""
        # Not len(x): an exported network takes any number of samples.
        return x.view(x.shape[0], *self.shape).permute(0, 3, 1, 2)


class ToSample(nn.Module):
    """Turn images (B, C, H, W) into samples, in the usual order of memory: undoes :class:`ToImage`.

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

    def __init__(self, inputs: int, outputs: int, kernel_size: int, size: tuple[int, int]) -> None:
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
