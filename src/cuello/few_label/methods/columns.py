"""Models of the columns of a table: a linear one, and a random forest, also of embeddings.

Shapes: B samples of a batch, K features, C outputs, T trees, N nodes of all trees together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, final

import numpy as np
import torch
from sklearn.ensemble import RandomForestRegressor
from torch import Tensor, nn

from cuello.arrays import Indices
from cuello.estimators.baselines import INVERSE_PENALTIES
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution, StoredSizes
from cuello.few_label.cross_validation import select
from cuello.few_label.options import MethodOptions
from cuello.few_label.tasks import Regression, SingleLabel, Task
from cuello.kinds import AutoencoderModule
from cuello.options import Range

__all__ = ["LinearColumns", "RandomForest"]

FEATURES = ("columns", "embeddings", "both")
_MOST_LEVELS = 16
_LEAST_SHARE = 1e-3
"""That every class is given, so that its logarithm is finite."""


@final
class LinearColumns(Method):
    """A logistic or ridge regression on the standardised columns of a table."""

    name = "linear_columns"
    display_name = "Linear model"
    summary = "An exact solver fits a linear model to the columns of a table, without a network."
    pretrained = overconfident = False
    tables_only = is_baseline = tried_by_auto = is_quick = refittable = True

    def fit(self, problem: LearningProblem) -> Solution:
        """Fit with the best penalty."""
        return select(problem, INVERSE_PENALTIES, self._fit, title="Inverse penalty")

    def build(self, problem: LearningProblem) -> nn.Module:
        """Return a linear layer."""
        return _LinearLayer(problem.x.shape[1], problem.task.outputs)

    def _fit(self, problem: LearningProblem, inverse_penalty: float) -> nn.Module:
        network, (x, y) = self.build(problem), problem.labelled_samples()
        columns = torch.nan_to_num(x).numpy()
        weight, bias = problem.task.fit_linear(columns, y.numpy(), inverse_penalty)
        for name, values in (("weight", weight), ("bias", bias)):
            network.get_parameter(name).data.copy_(torch.from_numpy(values))
        return network.eval()


class _LinearLayer(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.nan_to_num(x))


@dataclass(frozen=True, kw_only=True)
class _ForestOptions(MethodOptions):
    """Options of a random forest.

    Parameters
    ----------
    trees : int
        How many trees vote.
    """

    trees: Annotated[int, Range(1)] = 200


@final
class RandomForest(Method):
    """A random forest on the columns of a table, on embeddings, or on both."""

    name = "random_forest"
    display_name = "Random forest"
    summary = "Grows a random forest on the columns of a table, on embeddings, or on both."
    options_class = _ForestOptions
    overconfident = False
    tables_only = is_baseline = tried_by_auto = is_quick = True

    def fit(self, problem: LearningProblem) -> Solution:
        """Grow it on the features that held-out labels show to be best."""
        return select(problem, FEATURES, self._grow, title="Features")

    def build(self, problem: LearningProblem) -> nn.Module:
        """Return a forest without trees; the stored nodes take their place."""
        return _Forest(problem)

    def _grow(self, problem: LearningProblem, features: str) -> nn.Module:
        task, (x, y) = problem.task, problem.labelled_samples()
        network = _Forest(problem)
        with torch.no_grad():
            table = network.table(x).numpy()
        columns, width = math.prod(x.shape[1:]), table.shape[1]
        used = {"columns": slice(columns), "embeddings": slice(columns, width)}.get(features)
        kept = np.arange(width)[used or slice(width)]
        targets = np.eye(task.classes)[y] if isinstance(task, SingleLabel) else y.numpy()
        # By the squared error of 0 and 1 trees are split as by the Gini impurity.
        forest = RandomForestRegressor(
            problem.method_options(_ForestOptions).trees,
            max_depth=_MOST_LEVELS,
            max_features=1.0 if isinstance(task, Regression) else "sqrt",
            random_state=problem.seed,
        ).fit(table[:, kept], targets)
        network.take([tree.tree_ for tree in forest.estimators_], kept)
        return network.eval()


METHODS.add(LinearColumns.name, LinearColumns())
METHODS.add(RandomForest.name, RandomForest())


class _Forest(StoredSizes):
    """Scores (B, C) by the mean of T trees, all of whose nodes are in one list.

    A leaf leads to itself, so that all samples take the same number of steps.
    """

    roots: Tensor
    feature: Tensor
    threshold: Tensor
    low: Tensor
    high: Tensor
    value: Tensor

    def __init__(self, problem: LearningProblem) -> None:
        super().__init__()
        self.task: Task = problem.task
        for name in ("roots", "feature", "low", "high"):
            self.register_buffer(name, torch.zeros(0, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(0))
        self.register_buffer("value", torch.zeros(0, 0))
        assert problem.autoencoder is not None
        self.source: list[AutoencoderModule] = [problem.autoencoder.module_]  # not stored twice

    def take(self, trees: Sequence[Any], kept: Indices) -> None:
        """Take the nodes of trees whose features are these columns of the table."""
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        pairs = list(zip(trees, starts, strict=True))
        for name, children in (("low", "children_left"), ("high", "children_right")):
            parts = []
            for tree, start in pairs:
                child = getattr(tree, children)
                itself = np.arange(tree.node_count)
                parts.append(start + np.where(child < 0, itself, child))
            setattr(self, name, torch.from_numpy(np.concatenate(parts)))
        # Of float32 numbers as many are below as are below the threshold itself.
        threshold = np.concatenate([tree.threshold for tree in trees])
        near = threshold.astype(np.float32)
        above = near.astype(np.float64) > threshold
        near[above] = np.nextafter(near[above], np.float32(-np.inf))
        feature = np.concatenate([np.maximum(tree.feature, 0) for tree in trees])
        value = np.concatenate([tree.value[:, :, 0] for tree in trees])
        self.roots, self.feature = torch.from_numpy(starts), torch.from_numpy(kept[feature])
        self.threshold, self.value = torch.from_numpy(near), torch.from_numpy(value).float()

    def table(self, x: Tensor) -> Tensor:
        """Return the columns of samples and then their embeddings, (B, columns + latents)."""
        embeddings: Tensor = self.source[0].features(x)
        return torch.cat([torch.nan_to_num(x).flatten(1), embeddings], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the task; of shares, their logarithms or logits."""
        table = self.table(x)
        node = torch.zeros_like(table[:, :1], dtype=torch.int64) + self.roots
        for _ in range(_MOST_LEVELS):
            is_high = table.gather(1, self.feature[node]) > self.threshold[node]
            node = torch.where(is_high, self.high[node], self.low[node])
        mean = self.value[node].sum(dim=1) / len(self.roots)
        if isinstance(self.task, Regression):
            return mean
        if isinstance(self.task, SingleLabel):
            return self.task.from_classes((mean + _LEAST_SHARE).log())
        return ((mean + _LEAST_SHARE) / (1.0 - mean + _LEAST_SHARE)).log()
