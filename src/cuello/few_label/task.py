"""What labels say of a row, and so what a head gives, is trained on and is judged by.

Shapes: B rows of a batch, n rows, K latents, C outputs of the head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from cuello.data import splits

__all__ = ["Classes", "Fold", "Linear", "Task"]

Array = npt.NDArray[Any]
Scores = npt.NDArray[np.float32]
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Rows to train on, and rows to hold out."""
Linear = tuple[Array, Array]
"""Weights (C, K) and biases (C,) of a head without a hidden layer."""


@dataclass(frozen=True)
class Task(ABC):
    """One kind of labels.

    Parameters
    ----------
    outputs : int
        How many scores a head gives for a row (C).
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    unit: ClassVar[str] = "accuracy"
    """What :meth:`score` measures."""

    outputs: int

    @abstractmethod
    def losses(self, scores: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the loss of scores (B, C) under its name."""

    @abstractmethod
    def link(self, scores: Scores) -> Array:
        """Return what scores (n, C) mean: probabilities, or numbers in their own units."""

    @abstractmethod
    def score(self, scores: Scores, y: Array) -> float:
        """Return how good scores (n, C) are: higher is better."""

    @abstractmethod
    def folds(self, y: Array, cv: int, seed: int) -> list[Fold]:
        """Divide labelled rows for cross-validation; none if there are too few."""

    @abstractmethod
    def fit_linear(self, codes: Array, y: Array, inverse_penalty: float) -> Linear:
        """Return the best head on fixed codes (n, K) with an L2 penalty, by an exact solver."""

    def cv_score(self, held_out: list[tuple[Scores, Array]]) -> float:
        """Return how good the scores of held-out folds are, each (scores, y)."""
        return float(np.mean([self.score(scores, y) for scores, y in held_out]))


@final
@dataclass(frozen=True)
class Classes(Task):
    """One class of many: softmax and cross-entropy. ``y`` holds codes from 0 on, (n,).

    Examples
    --------
    >>> Classes(2).link(np.zeros((1, 2), dtype=np.float32))
    array([[0.5, 0.5]])
    """

    name: ClassVar[str] = "classes"
    summary: ClassVar[str] = "one class of many: softmax, cross-entropy"

    def losses(self, scores: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy."""
        return {"cross_entropy": F.cross_entropy(scores.float(), y)}

    def link(self, scores: Scores) -> Array:
        """Return the probability of each class (n, C), rows summing to 1."""
        wide = scores.astype(np.float64)
        powers = np.exp(wide - wide.max(axis=1, keepdims=True))
        probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
        return probabilities

    def score(self, scores: Scores, y: Array) -> float:
        """Return the accuracy."""
        return float((scores.argmax(axis=1) == y).mean())

    def folds(self, y: Array, cv: int, seed: int) -> list[Fold]:
        """Return stratified folds; none where a class has one label."""
        return splits.folds(y, cv, seed)

    def fit_linear(self, codes: Array, y: Array, inverse_penalty: float) -> Linear:
        """Return a multinomial logistic regression."""
        regression = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(codes, y)
        weight, bias = regression.coef_, regression.intercept_
        if self.outputs == 2:  # scikit-learn keeps the difference of the two scores
            return np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        return weight, bias
