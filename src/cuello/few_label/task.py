"""Tasks: what labels are, and so how a head is activated, trained and scored.

Shapes: B samples of a batch, n samples, K latents, C outputs of the head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from cuello.arrays import Array, Float32s, Indices
from cuello.data import splits
from cuello.registry import Registry

__all__ = ["TASKS", "Fold", "Linear", "SingleLabel", "Task"]

Fold = tuple[Indices, Indices]
"""Samples to train on, and samples to hold out."""
Linear = tuple[Array, Array]
"""Weights (C, K) and biases (C,) of a head without a hidden layer."""


@dataclass(frozen=True)
class Task(ABC):
    """A type of labels.

    Parameters
    ----------
    outputs : int
        How many scores a head gives for a sample (C).
    """

    name: ClassVar[str]
    display_name: ClassVar[str]
    """As tables and reports show it."""
    summary: ClassVar[str]
    unit: ClassVar[str] = "accuracy"
    """What :meth:`score` measures."""

    outputs: int

    @abstractmethod
    def losses(self, scores: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the loss of scores (B, C) under its name."""

    @abstractmethod
    def activate(self, scores: Tensor) -> Tensor:
        """Return probabilities, or numbers in the labels' units, of scores (B, C); exportable."""

    @abstractmethod
    def score(self, scores: Float32s, y: Array) -> float:
        """Return the accuracy or R² of scores (n, C): higher is better."""

    @abstractmethod
    def fit_linear(self, embeddings: Array, y: Array, inverse_penalty: float) -> Linear:
        """Return the best head on embeddings (n, K) with an L2 penalty, by an exact solver."""

    def folds(self, y: Array, cv: int, seed: int) -> list[Fold]:
        """Divide labelled samples for cross-validation; none if there are too few."""
        return splits.plain_folds(len(y), cv, seed)

    def link(self, scores: Array) -> Array:
        """Return what :meth:`activate` makes of scores (n, C), in double precision."""
        wide = torch.from_numpy(np.ascontiguousarray(scores, dtype=np.float64))
        activated: Array = self.activate(wide).numpy()
        return activated

    def cv_score(self, held_out: list[tuple[Float32s, Array]]) -> float:
        """Return the score over held-out folds, each (scores, y)."""
        return float(np.mean([self.score(scores, y) for scores, y in held_out]))


TASKS: Registry[type[Task]] = Registry("task")


class SingleLabel(Task):
    """One class a sample: a score for each class or, for two, the difference of both."""

    @property
    @abstractmethod
    def classes(self) -> int:
        """Return how many classes there are."""

    @abstractmethod
    def to_classes(self, scores: Tensor) -> Tensor:
        """Return one score for each class (B, classes) of a head's scores (B, C)."""

    @abstractmethod
    def from_classes(self, scores: Tensor) -> Tensor:
        """Return scores like a head's (B, C) of one score for each class (B, classes)."""

    def score(self, scores: Float32s, y: Array) -> float:
        """Return the accuracy."""
        predicted = self.to_classes(torch.from_numpy(scores)).argmax(dim=1).numpy()
        return float((predicted == y).mean())

    def folds(self, y: Array, cv: int, seed: int) -> list[Fold]:
        """Return stratified folds; none where a class has one label."""
        return splits.stratified_folds(y, cv, seed)
