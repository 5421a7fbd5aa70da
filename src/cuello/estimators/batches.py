"""Samples through a network, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cuello.arrays import Float32s

__all__ = ["in_batches"]

_INFERENCE_BATCH = 1024  # the layer outputs of a convolutional network are many times its input


@torch.no_grad()
def in_batches(
    samples: int, compute: Callable[[int, int], Tensor], shape: tuple[int, ...]
) -> Float32s:
    """Fill (samples, *shape) a batch at a time: no scaled copy of all samples is ever made."""
    out = np.empty((samples, *shape), dtype=np.float32)
    for start in range(0, samples, _INFERENCE_BATCH):
        stop = min(start + _INFERENCE_BATCH, samples)
        out[start:stop] = compute(start, stop).numpy()
    return out
