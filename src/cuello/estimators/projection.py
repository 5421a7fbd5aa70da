"""Embeddings of any latent dimension in two dimensions.

Shapes: n samples, K latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, Self, TypeVar

import numpy as np

from cuello.arrays import Array
from cuello.errors import InputError, Use

__all__ = ["FEWEST_SAMPLES", "FLAT", "fit_projector"]

FLAT = 2
"""Latent dimension up to which embeddings need no projection."""
FEWEST_SAMPLES = 50
"""Fewer tell too little about who is near whom."""
STEPS, EPOCHS = 600, 15
"""Of the training of a projector, the least of both."""

_MOST_SAMPLES = 20_000  # finding neighbours takes the square of it; further ones are put in
_BATCH_SIZE = 128


class Fittable(Protocol):
    """An estimator."""

    def fit(self, X: Array) -> Self:
        """Train on samples."""


Projector = TypeVar("Projector", bound=Fittable)


def fit_projector(
    autoencoder: Callable[..., Projector], embeddings: Array, seed: int, *, device: str = "auto"
) -> Projector:
    """Fit a projection of embeddings (n, K) to two dimensions: a ``neighbour`` of 2 latents.

    Its ``transform`` gives the coordinates (m, 2) of embeddings (m, K), and its
    ``inverse_transform`` leads from coordinates back to embeddings. At most 20,000 embeddings,
    drawn at random, are learned from.

    Parameters
    ----------
    autoencoder : type
        :class:`cuello.Autoencoder`.
    embeddings : ndarray of shape (n, K)
        50 or more.
    seed : int
        The same gives the same projection.
    device : str
        As for :class:`cuello.Autoencoder`.

    Raises
    ------
    InputError
        If there are fewer than 50 embeddings.

    Examples
    --------
    >>> from cuello import Autoencoder
    >>> embeddings = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    >>> fit_projector(Autoencoder, embeddings, seed=0).transform(embeddings).shape
    (60, 2)
    """
    if len(embeddings) < FEWEST_SAMPLES:
        raise InputError(
            f"{len(embeddings)} samples are too few to learn a projection from",
            remedy=[f"give at least {FEWEST_SAMPLES}, or ", Use("latent_dim", 2)],
        )
    batch = min(_BATCH_SIZE, len(embeddings))
    some = np.random.default_rng(seed).permutation(len(embeddings))[:_MOST_SAMPLES]
    model = autoencoder(
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
    return model.fit(embeddings[some])
