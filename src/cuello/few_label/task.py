"""What labels say of a row, and so what a head gives, is trained on and is judged by.

Shapes: B rows of a batch, n rows, K latents, C outputs of the head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from cuello.data import splits

__all__ = [
    "HEAD_LOSSES",
    "TASKS",
    "Binary",
    "Multiclass",
    "Fold",
    "Linear",
    "Regression",
    "SingleLabel",
    "Multilabel",
    "Task",
]

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


class SingleLabel(Task):
    """One class a row, in one score for each class or, for two, in the difference of both."""

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


@final
@dataclass(frozen=True)
class Multiclass(SingleLabel):
    """One class of many: softmax and cross-entropy. ``y`` holds codes from 0 on, (n,).

    Examples
    --------
    >>> Multiclass(2).link(np.zeros((1, 2), dtype=np.float32))
    array([[0.5, 0.5]])
    """

    name: ClassVar[str] = "multiclass"
    summary: ClassVar[str] = "one class of many: softmax, cross-entropy"

    @property
    def classes(self) -> int:
        """Return how many classes there are."""
        return self.outputs

    def to_classes(self, scores: Tensor) -> Tensor:
        """Return the scores as they are."""
        return scores

    def from_classes(self, scores: Tensor) -> Tensor:
        """Return the scores as they are."""
        return scores

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
        return splits.stratified_folds(y, cv, seed)

    def fit_linear(self, codes: Array, y: Array, inverse_penalty: float) -> Linear:
        """Return a multinomial logistic regression."""
        regression = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(codes, y)
        weight, bias = regression.coef_, regression.intercept_
        if self.outputs == 2:  # scikit-learn keeps the difference of the two scores
            return np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        return weight, bias


@final
@dataclass(frozen=True)
class Binary(SingleLabel):
    """One of two classes: a single score, sigmoid and cross-entropy. ``y`` holds 0 or 1, (n,).

    Examples
    --------
    >>> Binary().link(np.zeros((1, 1), dtype=np.float32))
    array([[0.5, 0.5]])
    """

    name: ClassVar[str] = "binary"
    summary: ClassVar[str] = "one of two classes: sigmoid, binary cross-entropy"

    outputs: int = 1

    @property
    def classes(self) -> int:
        """Return 2."""
        return 2

    def to_classes(self, scores: Tensor) -> Tensor:
        """Return 0 for the first class, and the score for the second."""
        return torch.cat([torch.zeros_like(scores), scores], dim=1)

    def from_classes(self, scores: Tensor) -> Tensor:
        """Return by how much the second class's score is above the first's."""
        return scores[:, 1:] - scores[:, :1]

    def losses(self, scores: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the binary cross-entropy."""
        return {"bce": F.binary_cross_entropy_with_logits(scores.float().squeeze(1), y.float())}

    def link(self, scores: Scores) -> Array:
        """Return the probabilities of both classes (n, 2)."""
        p = expit(scores[:, 0].astype(np.float64))
        return np.stack([1.0 - p, p], axis=1)

    def score(self, scores: Scores, y: Array) -> float:
        """Return the accuracy."""
        return float(((scores[:, 0] > 0) == y).mean())

    def folds(self, y: Array, cv: int, seed: int) -> list[Fold]:
        """Return stratified folds; none where a class has one label."""
        return splits.stratified_folds(y, cv, seed)

    def fit_linear(self, codes: Array, y: Array, inverse_penalty: float) -> Linear:
        """Return a logistic regression."""
        return _logistic(codes, y, inverse_penalty)


@final
@dataclass(frozen=True)
class Multilabel(Task):
    """Any number of properties at once: a sigmoid each. ``y`` holds 0 and 1 as float32, (n, C).

    Examples
    --------
    >>> Multilabel(3).link(np.zeros((1, 3), dtype=np.float32))
    array([[0.5, 0.5, 0.5]])
    """

    name: ClassVar[str] = "multilabel"
    summary: ClassVar[str] = "several properties at once: sigmoids, binary cross-entropy"

    def losses(self, scores: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the binary cross-entropy, mean over properties."""
        return {"bce": F.binary_cross_entropy_with_logits(scores.float(), y)}

    def link(self, scores: Scores) -> Array:
        """Return the probability of each property (n, C)."""
        probabilities: Array = expit(scores.astype(np.float64))
        return probabilities

    def score(self, scores: Scores, y: Array) -> float:
        """Return the accuracy, mean over properties."""
        return float(((scores > 0) == (y > 0.5)).mean())

    def folds(self, y: Array, cv: int, seed: int) -> list[Fold]:
        """Return folds; none for fewer than four rows."""
        return splits.plain_folds(len(y), cv, seed)

    def fit_linear(self, codes: Array, y: Array, inverse_penalty: float) -> Linear:
        """Return one logistic regression a property."""
        found = [_logistic(codes, column, inverse_penalty) for column in y.T]
        return np.vstack([w for w, _ in found]), np.concatenate([b for _, b in found])


@final
@dataclass(frozen=True)
class Regression(Task):
    """A number: a linear output. ``y`` is standardised, float32, (n,).

    Parameters
    ----------
    mean, scale : float
        What was taken off the labels, and what they were divided by.
    loss : str
        One of :data:`HEAD_LOSSES`. ``mape`` is relative to the label in its own units; the others
        are in standard deviations of the labels, ``huber`` linear from one on.

    Examples
    --------
    >>> Regression(mean=10.0, scale=2.0).link(np.ones((1, 1), dtype=np.float32))
    array([12.])
    """

    name: ClassVar[str] = "regression"
    summary: ClassVar[str] = "a number: linear, squared error or another"
    unit: ClassVar[str] = "R²"

    outputs: int = 1
    mean: float = 0.0
    scale: float = 1.0
    loss: str = "mse"

    def losses(self, scores: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the loss."""
        found = scores.float().squeeze(1)
        if self.loss == "mape":
            relative = (found - y).abs() * self.scale / (y * self.scale + self.mean).abs()
            return {self.loss: relative.mean()}
        return {self.loss: _NUMBER_LOSSES[self.loss](found, y)}

    def link(self, scores: Scores) -> Array:
        """Return numbers in the labels' own units (n,)."""
        return scores[:, 0].astype(np.float64) * self.scale + self.mean

    def score(self, scores: Scores, y: Array) -> float:
        """Return R²: 1 minus the squared error over that of the mean."""
        error = np.square(scores[:, 0].astype(np.float64) - y).sum()
        return float(1.0 - error / np.square(y - y.mean(dtype=np.float64)).sum())

    def cv_score(self, held_out: list[tuple[Scores, Array]]) -> float:
        """Return R² over all folds together: a small fold's own mean would be a poor measure."""
        scores, y = (np.concatenate(part) for part in zip(*held_out, strict=True))
        return self.score(scores, y)

    def folds(self, y: Array, cv: int, seed: int) -> list[Fold]:
        """Return folds; none for fewer than four rows."""
        return splits.plain_folds(len(y), cv, seed)

    def fit_linear(self, codes: Array, y: Array, inverse_penalty: float) -> Linear:
        """Return a ridge regression."""
        regression = Ridge(alpha=1.0 / inverse_penalty).fit(codes, y)
        return regression.coef_[None], np.atleast_1d(regression.intercept_)


_NUMBER_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
}

HEAD_LOSSES = (*_NUMBER_LOSSES, "mape")
"""What a head that gives numbers can be trained on."""

TASKS: dict[str, type[Task]] = {
    task.name: task for task in (Multiclass, Binary, Multilabel, Regression)
}


def _logistic(codes: Array, y: Array, inverse_penalty: float) -> Linear:
    """Return weights (1, K) and bias (1,) for y of 0 and 1, which may be all alike."""
    positive = float((y > 0.5).mean())
    if positive in (0.0, 1.0):  # nothing to tell apart: the log odds, with one row of each added
        ones, n = positive * len(y), len(y)
        bias = np.log((ones + 1.0) / (n - ones + 1.0))
        return np.zeros((1, codes.shape[1])), np.array([bias])
    regression = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(codes, y)
    return regression.coef_, regression.intercept_
