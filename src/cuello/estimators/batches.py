"""Rows through a network, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["in_batches"]

_ROWS = 1024  # the stages of a convolutional network are many times its input


@torch.no_grad()
def in_batches(
    rows: int, compute: Callable[[int, int], Tensor], shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Fill (rows, *shape) a batch at a time: no copy of all scaled rows is ever made."""
    out = np.empty((rows, *shape), dtype=np.float32)
    for start in range(0, rows, _ROWS):
        stop = min(start + _ROWS, rows)
        out[start:stop] = compute(start, stop).numpy()
    return out
