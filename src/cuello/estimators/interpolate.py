"""Paths from one embedding to another.

Shapes: K latents, S steps.
"""

from __future__ import annotations

import numpy as np

from cuello.arrays import Array, Float32s
from cuello.errors import unknown
from cuello.estimators.inputs import check_whole
from cuello.estimators.network import TrainedNetwork

__all__ = ["INTERPOLATIONS", "decode_path", "linear", "spherical"]

INTERPOLATIONS = ("auto", "linear", "spherical")
_PARALLEL = 1e-4  # sine of the angle, below which two embeddings span no arc


def decode_path(network: TrainedNetwork, a: Array, b: Array, steps: int, method: str) -> Float32s:
    """Decode the path between two checked samples; see ``Autoencoder.interpolate``."""
    if method not in INTERPOLATIONS:
        raise unknown("method", method, INTERPOLATIONS)
    steps = check_whole("steps", steps, least=2)  # both ends count
    if method == "auto":
        method = "spherical" if network.module.normal_prior else "linear"
    first, last = network.encode(np.stack([a, b]))
    path = (linear if method == "linear" else spherical)(first, last, steps)
    return network.decode_nearest(path.astype(np.float32))


def linear(a: Array, b: Array, steps: int) -> Array:
    """Return embeddings (S, K) on the straight line from a to b (K,), evenly spaced."""
    t = np.linspace(0.0, 1.0, steps)[:, None]
    return (1.0 - t) * a + t * b


def spherical(a: Array, b: Array, steps: int) -> Array:
    """Return embeddings (S, K) on the arc from a to b (K,), by even angles.

    Of N(0, I) in many dimensions nearly all draws are about as far from 0; a straight line between
    two of them passes places where there are none. Lengths change evenly from that of a to that of
    b. Embeddings that span no arc are joined by the straight line.

    Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985; for latents White,
    "Sampling generative networks", 2016, arXiv:1609.04468.

    Examples
    --------
    >>> spherical(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3)[1].round(3).tolist()
    [0.707, 0.707]
    """
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if min(lengths) < 1e-9:
        return linear(a, b, steps)
    u, v = a / lengths[0], b / lengths[1]
    angle = np.arccos(np.clip(u @ v, -1.0, 1.0))
    if np.sin(angle) < _PARALLEL:
        return linear(a, b, steps)
    t = np.linspace(0.0, 1.0, steps)[:, None]
    directions = (np.sin((1.0 - t) * angle) * u + np.sin(t * angle) * v) / np.sin(angle)
    path: Array = ((1.0 - t) * lengths[0] + t * lengths[1]) * directions
    return path
