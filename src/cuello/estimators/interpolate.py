"""The way from one code to another.

Shapes: K latents, S steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cuello.errors import InputError, unknown
from cuello.estimators.sample import decode_embeddings
from cuello.kinds import KINDS

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = ["WAYS", "interpolate", "linear", "spherical"]

Array = npt.NDArray[Any]

WAYS = ("auto", "linear", "spherical")
_PARALLEL = 1e-4  # sine of the angle, below which two codes span no arc


def interpolate(
    model: Autoencoder, a: Array, b: Array, steps: int, method: str
) -> npt.NDArray[np.float32]:
    """Decode the way between two checked rows; see ``Autoencoder.interpolate``."""
    if method not in WAYS:
        raise unknown("how", method, WAYS)
    if steps < 2 or steps != int(steps):
        raise InputError(f"steps={steps!r} must be a whole number from 2 on: both ends count.")
    if method == "auto":
        method = "spherical" if KINDS[model.kind].normal_prior else "linear"
    first, last = model.transform(np.stack([a, b]))
    way = (linear if method == "linear" else spherical)(first, last, int(steps))
    return decode_embeddings(model, way.astype(np.float32), None)


def linear(a: Array, b: Array, steps: int) -> Array:
    """Return codes (S, K) on the straight line from a to b (K,), evenly spaced."""
    t = np.linspace(0.0, 1.0, steps)[:, None]
    return (1.0 - t) * a + t * b


def spherical(a: Array, b: Array, steps: int) -> Array:
    """Return codes (S, K) on the arc from a to b (K,), by even angles.

    Of N(0, I) in many dimensions nearly all draws are about as far from 0; a straight line between
    two of them passes places where there are none. Lengths change evenly from that of a to that of
    b. Codes that span no arc are joined by the straight line.

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
    codes: Array = ((1.0 - t) * lengths[0] + t * lengths[1]) * directions
    return codes
