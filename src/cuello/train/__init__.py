"""Training: the options, the loop, and its parts."""

from __future__ import annotations

from cuello.train.callbacks import Callback
from cuello.train.config import (
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    SHUFFLES,
    TrainingConfig,
    training_options,
)
from cuello.train.loop import Trainable, train
from cuello.train.placement import Placement, choose_placement
from cuello.train.rows import Rows
from cuello.train.state import Epoch
from cuello.train.trackers import TRACKERS, MLflow, TensorBoard, WandB

__all__ = [
    "OPTIMIZERS",
    "PRECISIONS",
    "SCHEDULES",
    "SHUFFLES",
    "TRACKERS",
    "Epoch",
    "MLflow",
    "Placement",
    "Rows",
    "TensorBoard",
    "Trainable",
    "TrainingConfig",
    "WandB",
    "Callback",
    "choose_placement",
    "train",
    "training_options",
]
