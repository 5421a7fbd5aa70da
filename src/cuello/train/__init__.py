"""Training: the one loop, and what it needs."""

from __future__ import annotations

from cuello.train.history import Epoch
from cuello.train.loop import Trainable, Watcher, train
from cuello.train.placement import Placement, place
from cuello.train.rows import Rows
from cuello.train.settings import OPTIMIZERS, PRECISIONS, SCHEDULES, Training

__all__ = [
    "OPTIMIZERS",
    "PRECISIONS",
    "SCHEDULES",
    "Epoch",
    "Placement",
    "Rows",
    "Trainable",
    "Training",
    "Watcher",
    "place",
    "train",
]
