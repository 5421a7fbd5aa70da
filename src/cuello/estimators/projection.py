"""Codes of any length in a plane.

Shapes: n rows, K latents.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cuello.errors import InputError

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = ["FEWEST_ROWS", "FLAT", "fit_projector", "reduce"]

Array = npt.NDArray[Any]

FLAT = 2
"""Up to so many latents are a place by themselves."""
FEWEST_ROWS = 50
"""Fewer say too little of who is near whom."""
STEPS, EPOCHS = 600, 15
"""Of the training of a map, the least of both."""

_ROWS = 20_000  # the map takes further ones in, and finding neighbours takes the square of it
_BATCH = 128


def fit_projector(codes: Array, seed: int, *, device: str = "auto") -> Autoencoder:
    """Fit a map of codes (n, K): an autoencoder of kind ``neighbour`` with 2 latents.

    Its ``transform`` places codes (m, K) in the plane, (m, 2), and its ``inverse_transform`` leads
    from places back to codes. At most 20,000 codes, drawn at random, are learned from.

    Raises
    ------
    InputError
        If there are fewer than 50 codes.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    >>> fit_projector(codes, seed=0).transform(codes).shape
    (60, 2)
    """
    from cuello.estimators.autoencoder import Autoencoder

    if len(codes) < FEWEST_ROWS:
        raise InputError(
            f"{len(codes)} rows are too few to learn a map from; give at least {FEWEST_ROWS}, or "
            "train with latent_dim=2."
        )
    batch = min(_BATCH, len(codes))
    some = np.random.default_rng(seed).permutation(len(codes))[:_ROWS]
    model = Autoencoder(
        "neighbour",
        latent_dim=FLAT,
        hidden=(256, 256),
        activation="relu",
        scaling="standard",
        epochs=max(EPOCHS, math.ceil(STEPS / math.ceil(len(some) / batch))),
        batch_size=batch,
        learning_rate=0.01,
        validation_fraction=0.0,
        precision="float32",
        device=device,
        random_state=seed,
    )
    return model.fit(codes[some])


def reduce(model: Autoencoder, X: Array, seed: int) -> npt.NDArray[np.float32]:
    """Return places of rows; see ``Autoencoder.reduce``."""
    codes = model.transform(X)
    if codes.shape[1] <= FLAT:
        return codes
    return fit_projector(codes, seed, device=model.device).transform(codes)
