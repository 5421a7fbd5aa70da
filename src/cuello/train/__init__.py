"""Training: the one loop, and what it needs."""

from __future__ import annotations

from cuello.train.config import OPTIMIZERS, PRECISIONS, SCHEDULES, TrainingConfig
from cuello.train.history import Epoch
from cuello.train.loop import Callbacks, Trainable, train
from cuello.train.placement import Placement, place
from cuello.train.rows import Rows

__all__ = [
    "OPTIMIZERS",
    "PRECISIONS",
    "SCHEDULES",
    "Epoch",
    "Placement",
    "Rows",
    "Trainable",
    "TrainingConfig",
    "Callbacks",
    "place",
    "train",
]
