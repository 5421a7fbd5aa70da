"""Histograms of edge directions of images, in overlapping cells.

Shapes: n images, C channels of H x W pixels, K features an image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["edge_histograms", "edge_histograms_of"]

DIRECTIONS = 8
CELLS = 7
"""Cells a side: of 28 pixels, 9 wide and 4 apart."""
_SMALLEST_SUM = 1e-12
_ROUNDING = 1e-5
_IMAGES_AT_ONCE = 1024


def edge_histograms(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return histograms (n, K) of images (n, H, W) or (n, C, H, W) in any range, as square roots.

    Edges weigh by their steepness, in the two nearest of 8 directions, from dark to light; channels
    are added. All shares of an image sum to 1, so that neither brightness nor contrast counts, and
    the distance between two images is Hellinger's. An image without edges is all 0.

    Source: histograms of oriented gradients, Dalal and Triggs, "Histograms of oriented gradients
    for human detection", CVPR 2005; square roots, Arandjelovic and Zisserman, "Three things
    everyone should know to improve object retrieval", CVPR 2012.
    """
    chunks = (images[i : i + _IMAGES_AT_ONCE] for i in range(0, len(images), _IMAGES_AT_ONCE))
    tensors = (torch.from_numpy(np.ascontiguousarray(chunk, np.float32)) for chunk in chunks)
    return np.concatenate([edge_histograms_of(tensor).numpy() for tensor in tensors])


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
    sums = torch.stack(cells, dim=1).flatten(1)
    return (sums / sums.sum(dim=1, keepdim=True).clamp(min=_SMALLEST_SUM)).sqrt()


def _smooth(values: Tensor, dim: int) -> Tensor:
    size = values.shape[dim] - 2
    return (
        values.narrow(dim, 0, size)
        + 2.0 * values.narrow(dim, 1, size)
        + values.narrow(dim, 2, size)
    )


def _cells(size: int) -> Tensor:
    """Return the mask of the pixels of a side in each cell, (cells, size): cells overlap."""
    stride = max(-(-size // CELLS), 1)
    middles = torch.arange(0, size, stride)[:, None]
    return ((torch.arange(size) - middles).abs() <= stride).float()
