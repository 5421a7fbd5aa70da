"""Embeddings of any latent dimension in two dimensions.

Shapes: n samples, K latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from cuello.arrays import Array
from cuello.errors import InputError, Use

__all__ = ["FEWEST_SAMPLES", "FLAT", "fit_projector"]

FLAT = 2  # latents, up to which embeddings need no projection
FEWEST_SAMPLES = 50  # fewer tell too little about their neighbourhoods
STEPS, EPOCHS = 600, 15  # of the training of a projector, the least of both
_MOST_MEASURED = 20_000  # finding neighbours takes the square of it
_BATCH_SIZE = 128


Projector = TypeVar("Projector")


def fit_projector(
    autoencoder: Callable[..., Projector],
    embeddings: Array,
    seed: int,
    *,
    device: str = "auto",
    max_time: float | None = None,
) -> Projector:
    """Fit a projection of 50 or more embeddings (n, K): a ``neighbour`` of 2 latents.

    ``autoencoder`` is :class:`cuello.Autoencoder`. The ``transform`` of what is returned gives the
    coordinates (m, 2) of embeddings (m, K), its ``inverse_transform`` embeddings of coordinates.
    """
    if len(embeddings) < FEWEST_SAMPLES:
        raise InputError(
            f"{len(embeddings)} samples are too few to learn a projection from",
            remedy=[f"give at least {FEWEST_SAMPLES}, or ", Use("latent_dim", 2)],
        )
    batch = min(_BATCH_SIZE, len(embeddings))
    some = np.random.default_rng(seed).permutation(len(embeddings))[:_MOST_MEASURED]
    model: Any = autoencoder(
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
        max_time=max_time,
        random_state=seed,
    )
    fitted: Projector = model.fit(embeddings[some])
    return fitted
