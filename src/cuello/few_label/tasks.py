"""Tasks: the type of the labels, and so how a head is activated, trained and scored.

Shapes: B samples of a batch, n samples, K latents, C outputs of the head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from cuello.arrays import Array, Float32s, Indices
from cuello.data import splits
from cuello.registry import Registry

__all__ = [
    "HEAD_LOSSES",
    "TASKS",
    "Binary",
    "Multiclass",
    "Multilabel",
    "Regression",
    "SingleLabel",
    "Task",
]

_Linear = tuple[Array, Array]
"""Weights (C, K) and biases (C,) of a head without a hidden layer."""
_NUMBER_LOSSES: dict[str, Any] = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}
HEAD_LOSSES = (*_NUMBER_LOSSES, "mape")
"""Losses of a head that gives numbers."""


@dataclass(frozen=True)
class Task(ABC):
    """A type of labels.

    Parameters
    ----------
    outputs : int
        How many scores a head gives for a sample (C).
    """

    name: ClassVar[str]
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
    def fit_linear(self, embeddings: Array, y: Array, inverse_penalty: float) -> _Linear:
        """Return weights (C, K) and biases (C,) fitted to embeddings (n, K) by an exact solver."""

    def folds(self, y: Array, cv: int, seed: int) -> list[tuple[Indices, Indices]]:
        """Divide labelled samples, to train on and to hold out; no fold if there are too few."""
        return splits.plain_folds(len(y), cv, seed)

    def link(self, scores: Array, temperature: float = 1.0) -> Array:
        """Return what :meth:`activate` makes of scores (n, C) divided by a temperature."""
        # In double precision, so that scores that differ still do.
        wide = np.ascontiguousarray(scores, dtype=np.float64) / temperature
        activated: Array = self.activate(torch.from_numpy(wide)).numpy()
        return activated

    def cv_score(self, held_out: list[tuple[Float32s, Array]]) -> float:
        """Return the score over held-out folds, each (scores, y)."""
        return float(np.mean([self.score(scores, y) for scores, y in held_out]))


TASKS: Registry[type[Task]] = Registry("task")


class SingleLabel(Task):
    """One class a sample: a score for each class or, for two, the difference of both."""

    @property
    def classes(self) -> int:
        """Return how many classes there are."""
        return self.outputs

    def to_classes(self, scores: Tensor) -> Tensor:
        """Return one score for each class (B, classes) of a head's scores (B, C)."""
        return scores

    def from_classes(self, scores: Tensor) -> Tensor:
        """Return scores like a head's (B, C) of one score for each class (B, classes)."""
        return scores

    def score(self, scores: Float32s, y: Array) -> float:
        """Return the accuracy."""
        predicted = self.to_classes(torch.from_numpy(scores)).argmax(dim=1).numpy()
        return float((predicted == y).mean())

    def folds(self, y: Array, cv: int, seed: int) -> list[tuple[Indices, Indices]]:
        """Return stratified folds; none where a class has one label."""
        return splits.stratified_folds(y, cv, seed)


@TASKS.register("multiclass")
@final
class Multiclass(SingleLabel):
    """One class of many: softmax and cross-entropy. ``y`` holds codes from 0 on, (n,).

    Examples
    --------
    >>> Multiclass(2).link(np.zeros((1, 2), dtype=np.float32))
    array([[0.5, 0.5]])
    """

    name = "multiclass"

    def losses(self, scores: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy."""
        return {"cross_entropy": F.cross_entropy(scores.float(), y)}

    def activate(self, scores: Tensor) -> Tensor:
        """Return the probability of each class (B, C), summing to 1."""
        return scores.softmax(dim=1)

    def fit_linear(self, embeddings: Array, y: Array, inverse_penalty: float) -> _Linear:
        """Return a multinomial logistic regression."""
        regression = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(embeddings, y)
        weight, bias = regression.coef_, regression.intercept_
        if self.outputs == 2:  # scikit-learn keeps the difference of the two scores
            return np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        return weight, bias


@TASKS.register("binary")
@final
@dataclass(frozen=True)
class Binary(SingleLabel):
    """One of two classes: a single score, sigmoid and cross-entropy. ``y`` holds 0 or 1, (n,).

    Examples
    --------
    >>> Binary().link(np.zeros((1, 1), dtype=np.float32))
    array([[0.5, 0.5]])
    """

    name = "binary"

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

    def activate(self, scores: Tensor) -> Tensor:
        """Return the probabilities of both classes (B, 2)."""
        p = scores.sigmoid()
        return torch.cat([1.0 - p, p], dim=1)

    def fit_linear(self, embeddings: Array, y: Array, inverse_penalty: float) -> _Linear:
        """Return a logistic regression; ``y`` may be all alike."""
        positive = float((y > 0.5).mean())
        if positive in (0.0, 1.0):  # nothing to tell apart: log odds, one sample of each added
            ones, n = positive * len(y), len(y)
            bias = np.log((ones + 1.0) / (n - ones + 1.0))
            return np.zeros((1, embeddings.shape[1])), np.array([bias])
        regression = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(embeddings, y)
        return regression.coef_, regression.intercept_


@TASKS.register("multilabel")
@final
class Multilabel(Task):
    """Any number of properties at once: a sigmoid each. ``y`` holds 0 and 1 as float32, (n, C).

    Examples
    --------
    >>> Multilabel(2).link(np.zeros((1, 2), dtype=np.float32))
    array([[0.5, 0.5]])
    """

    name = "multilabel"

    def losses(self, scores: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the binary cross-entropy, mean over properties."""
        return {"bce": F.binary_cross_entropy_with_logits(scores.float(), y)}

    def activate(self, scores: Tensor) -> Tensor:
        """Return the probability of each property (B, C)."""
        return scores.sigmoid()

    def score(self, scores: Float32s, y: Array) -> float:
        """Return the accuracy, mean over properties."""
        return float(((scores > 0) == (y > 0.5)).mean())

    def fit_linear(self, embeddings: Array, y: Array, inverse_penalty: float) -> _Linear:
        """Return one logistic regression a property."""
        heads = [Binary().fit_linear(embeddings, column, inverse_penalty) for column in y.T]
        return np.vstack([w for w, _ in heads]), np.concatenate([b for _, b in heads])


@TASKS.register("regression")
@final
@dataclass(frozen=True)
class Regression(Task):
    """A number: a linear output. ``y`` is standardised, float32, (n,).

    Parameters
    ----------
    mean, scale : float
        Mean and standard deviation of the labels, by which they were standardised.
    loss : str
        One of :data:`HEAD_LOSSES`. ``mape`` is relative to the label in its own units; the others
        are in standard deviations of the labels, ``huber`` linear from one on.

    Examples
    --------
    >>> Regression(mean=10.0, scale=2.0).link(np.ones((1, 1), dtype=np.float32))
    array([12.])
    """

    name = "regression"
    unit = "R²"

    outputs: int = 1
    mean: float = 0.0
    scale: float = 1.0
    loss: str = "mse"

    def losses(self, scores: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the loss."""
        predicted = scores.float().squeeze(1)
        if self.loss == "mape":
            relative = (predicted - y).abs() * self.scale / (y * self.scale + self.mean).abs()
            return {self.loss: relative.mean()}
        return {self.loss: _NUMBER_LOSSES[self.loss](predicted, y)}

    def activate(self, scores: Tensor) -> Tensor:
        """Return numbers in the labels' units (B,)."""
        return scores[:, 0] * self.scale + self.mean

    def score(self, scores: Float32s, y: Array) -> float:
        """Return R²: 1 minus the squared error over that of the mean."""
        error = np.square(scores[:, 0].astype(np.float64) - y).sum()
        return float(1.0 - error / np.square(y - y.mean(dtype=np.float64)).sum())

    def cv_score(self, held_out: list[tuple[Float32s, Array]]) -> float:
        """Return R² over all folds together: that of a small fold would be a poor measure."""
        scores, y = (np.concatenate(arrays) for arrays in zip(*held_out, strict=True))
        return self.score(scores, y)

    def fit_linear(self, embeddings: Array, y: Array, inverse_penalty: float) -> _Linear:
        """Return a ridge regression."""
        regression = Ridge(alpha=1.0 / inverse_penalty).fit(embeddings, y)
        return regression.coef_[None], np.atleast_1d(regression.intercept_)
