"""Histograms of edge directions of images, in overlapping cells.

Shapes: n images, C channels of H x W pixels, K features an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["edge_histograms", "edge_histograms_of", "histogram_size"]

DIRECTIONS = 8
CELLS = 7
"""Cells a side: of 28 pixels, 9 wide and 4 apart."""
_SMALLEST_SUM = 1e-12
_ROUNDING = 1e-5
_IMAGES_AT_ONCE = 1024


def histogram_size(shape: Sequence[int]) -> int:
    """Return the number of features of an image of shape (..., H, W).

    Examples
    --------
    >>> histogram_size((28, 28)), histogram_size((3, 7, 5))
    (392, 280)
    """
    height, width = ((size - 1) // _stride(size) + 1 for size in shape[-2:])
    return DIRECTIONS * height * width


def edge_histograms(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the square roots of the shares that directions have in each cell, (n, K).

    Edges weigh by their steepness, in the two nearest of 8 directions, from dark to light; channels
    are added. All shares of an image sum to 1, so that neither brightness nor contrast counts, and
    the distance between two images is Hellinger's. An image without edges is all 0.

    Source: histograms of oriented gradients, Dalal and Triggs, "Histograms of oriented gradients
    for human detection", CVPR 2005; square roots, Arandjelovic and Zisserman, "Three things
    everyone should know to improve object retrieval", CVPR 2012.

    Parameters
    ----------
    images : ndarray of shape (n, H, W) or (n, C, H, W)
        In any range.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((2, 28, 28))
    >>> found = edge_histograms(images)
    >>> found.shape, bool(np.allclose(found, edge_histograms(3 * images + 1), atol=1e-3))
    ((2, 392), True)
    """
    found = np.empty((len(images), histogram_size(images.shape)), dtype=np.float32)
    for start in range(0, len(images), _IMAGES_AT_ONCE):
        chunk = np.ascontiguousarray(images[start : start + _IMAGES_AT_ONCE], np.float32)
        found[start : start + _IMAGES_AT_ONCE] = edge_histograms_of(torch.from_numpy(chunk)).numpy()
    return found


def edge_histograms_of(images: Tensor) -> Tensor:
    """Return :func:`edge_histograms` of a batch of tensors, by operators that ONNX has."""
    height, width = images.shape[-2:]
    # Not len(images), which would fix the size of a batch in an exported file.
    images_NCHW = images.reshape(images.shape[0], -1, height, width)
    channels = images_NCHW.shape[1]
    # The frame itself is no edge: pixels beyond it are as bright as those along it.
    framed = F.pad(images_NCHW, (1, 1, 1, 1), mode="replicate").flatten(0, 1)
    # Sobel's filters, a side at a time.
    down = _smooth(framed[:, :-2] - framed[:, 2:], dim=2)
    right = _smooth(framed[:, :, :-2] - framed[:, :, 2:], dim=1)
    # Rounds as torch.hypot does, which ONNX has not.
    steepness = (down.double().square() + right.double().square()).sqrt().float()
    # An even grey has no edges, however it rounds.
    steepness = steepness * (steepness > _ROUNDING * framed.abs().amax(dim=(1, 2), keepdim=True))
    turns = torch.atan2(down, right) * (DIRECTIONS / (2.0 * torch.pi))
    over, across = _cells(height), _cells(width).mT
    cells = []
    for direction in range(DIRECTIONS):
        off = (turns - direction).abs()
        off = torch.minimum(off, DIRECTIONS - off).abs()  # the shorter way around
        share = (1.0 - off).clamp(min=0.0) * steepness
        cells.append(over @ share.view(-1, channels, height, width).sum(dim=1) @ across)
    found = torch.stack(cells, dim=1).flatten(1)
    return (found / found.sum(dim=1, keepdim=True).clamp(min=_SMALLEST_SUM)).sqrt()


def _smooth(values: Tensor, dim: int) -> Tensor:
    size = values.shape[dim] - 2
    return (
        values.narrow(dim, 0, size)
        + 2.0 * values.narrow(dim, 1, size)
        + values.narrow(dim, 2, size)
    )


def _cells(size: int) -> Tensor:
    """Return which pixels of a side are in which cell, (cells, size): each overlaps the next."""
    stride = _stride(size)
    middles = torch.arange(0, size, stride)[:, None]
    return ((torch.arange(size) - middles).abs() <= stride).float()


def _stride(size: int) -> int:
    return max(-(-size // CELLS), 1)
