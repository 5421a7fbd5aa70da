"""What ``auto`` comes to: rows a step, passes over them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cuello.errors import InputError
from cuello.train import TrainingConfig

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = ["resolve_training_config"]

_STEPS = 10_000


def resolve_training_config(model: Autoencoder, rows: int, seed: int) -> TrainingConfig:
    """Return how an estimator is to be trained on this many rows.

    Raises
    ------
    InputError
        If an option is outside its range, or does not fit the number of rows.
    """
    batch_size = min(128, rows) if model.batch_size == "auto" else model.batch_size
    if not isinstance(batch_size, int | np.integer) or batch_size > rows:
        raise InputError(
            f"batch_size={batch_size!r} must be a number of rows up to the training rows "
            f"({rows}), or 'auto'."
        )
    if model.batch_norm and (rows < 2 or batch_size < 2):
        raise InputError(
            f"batch_norm=True needs batches of 2 rows or more; got {rows} training rows and "
            f"batch_size={batch_size}; set batch_norm=False."
        )
    epochs = model.epochs
    if epochs == "auto":
        epochs = min(max(math.ceil(_STEPS / math.ceil(rows / batch_size)), 20), 300)
    if not isinstance(epochs, int | np.integer):
        raise InputError(f"epochs={epochs!r} must be a whole number from 1 on, or 'auto'.")
    return TrainingConfig(
        optimizer=model.optimizer,
        learning_rate=model.learning_rate,
        momentum=model.momentum,
        weight_decay=model.weight_decay,
        schedule=model.schedule,
        warm_up=model.warm_up,
        epochs=int(epochs),
        batch_size=int(batch_size),
        shuffle=model.shuffle,
        patience=model.patience,
        gradient_clip=model.gradient_clip,
        device=model.device,
        precision=model.precision,
        seed=seed,
    )
