"""Training: the options, the loop, and what it is made of."""

from __future__ import annotations

from cuello.train.config import PRECISIONS, SHUFFLES, TrainingConfig, training_options
from cuello.train.history import Epoch
from cuello.train.loop import Callbacks, Trainable, train
from cuello.train.optimizers import OPTIMIZERS
from cuello.train.placement import Placement, choose_placement
from cuello.train.rows import Rows
from cuello.train.schedules import SCHEDULES

__all__ = [
    "OPTIMIZERS",
    "PRECISIONS",
    "SCHEDULES",
    "SHUFFLES",
    "Epoch",
    "Placement",
    "Rows",
    "Trainable",
    "TrainingConfig",
    "Callbacks",
    "choose_placement",
    "train",
    "training_options",
]
