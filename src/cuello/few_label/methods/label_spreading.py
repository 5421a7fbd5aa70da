"""Label spreading: each sample takes the label that its nearest neighbours agree on.

Shapes: B samples of a batch, n samples, K features by which they are compared, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, final

import numpy as np
import torch
from torch import Tensor, nn

from cuello.arrays import Array, Float32s
from cuello.data.edges import edge_histograms_of
from cuello.data.neighbours import nearest_of
from cuello.estimators.baselines import fit_pca
from cuello.estimators.network import in_batches
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution, StoredSizes
from cuello.few_label.cross_validation import scores_of, select
from cuello.few_label.graph import latest_graph, spread_labels
from cuello.few_label.options import MethodOptions
from cuello.kinds import AutoencoderModule
from cuello.options import Range

__all__ = ["FeatureSpace", "LabelSpreading", "NeighbourVote", "PseudoLabels"]

PseudoLabels = Callable[[LearningProblem], Array]
"""Returns shares of each class (n, C) for the samples of a problem."""

ALPHAS = (0.8, 0.95, 0.99)
"""Candidates for how far labels spread."""
COMPONENTS = 50
MAX_GRAPH_SAMPLES = 60_000
"""Of more samples a draw stands for all."""
_PCA_SAMPLES = 10_000
_TIE = 1e-4  # share of a squared distance: rounding in float32 is well below it


@dataclass(frozen=True, kw_only=True)
class _SpreadingOptions(MethodOptions):
    """Options of label spreading.

    Parameters
    ----------
    neighbours : int
        How many nearest samples each one is connected with.
    """

    neighbours: Annotated[int, Range(1)] = 15


@final
class LabelSpreading(Method):
    """Labels spread along a graph of embeddings, or of principal components."""

    name = "label_spreading"
    display_name = "Label spreading"
    summary = "Labels spread to the nearest neighbours among all samples, labelled or not."
    options_class = _SpreadingOptions
    uses_unlabelled = True
    single_label_only = True
    overconfident = False
    compared_on_request = tried_by_auto = is_quick = refittable = True

    def fit(self, problem: LearningProblem) -> Solution:
        """Spread along the better of two graphs, by the best alpha."""
        return self.solve(problem)[0]

    def solve(self, problem: LearningProblem) -> tuple[Solution, PseudoLabels]:
        """Return the solution, and a function that spreads other labels of the same samples."""
        index, small = np.arange(len(problem.x)), problem
        if len(problem.x) > MAX_GRAPH_SAMPLES:
            labelled, others = np.flatnonzero(problem.labelled), np.flatnonzero(~problem.labelled)
            room = max(MAX_GRAPH_SAMPLES - len(labelled), 0)
            drawn = np.random.default_rng(problem.seed).choice(others, room, replace=False)
            index = np.sort(np.concatenate([labelled, drawn]))
            small = problem.subset(index)
        spreads = [_SpreadLabels(small, space) for space in FeatureSpace.candidates(small)]
        best = max(spreads, key=lambda spread: spread.solution.cv_score)
        listed = ", ".join(f"{s.solution.cv_score:.3f} by {s.space.title}" for s in spreads)
        why = f"{problem.task.unit} on folds {listed}"
        if np.isnan(best.solution.cv_score):
            why = "no labels were held out to compare by"
        chosen = best.solution.chosen
        summary = [f"Neighbours by {best.space.title}: {why}.", *best.solution.summary]

        def pseudo_labels(part: LearningProblem) -> Array:
            if small is problem:
                return best.shares(part, chosen)
            vote, task = best.vote(part.subset(index), chosen), part.single_label
            votes = scores_of(vote, part.x, np.arange(len(part.x)), task.outputs)
            shares: Array = task.to_classes(torch.from_numpy(votes)).double().softmax(1).numpy()
            return shares

        return replace(best.solution, summary=summary), pseudo_labels

    def build(self, problem: LearningProblem) -> nn.Module:
        """Return a vote among no samples; the stored ones take their place."""
        return NeighbourVote(problem, FeatureSpace(problem), torch.zeros(0), torch.zeros(0))


METHODS.add(LabelSpreading.name, LabelSpreading())


class _SpreadLabels:
    """Labels that spread along the graph of the samples of a problem in a space of features."""

    def __init__(self, problem: LearningProblem, space: FeatureSpace) -> None:
        self.space = space
        self.features = torch.from_numpy(_compute(space, problem.x))
        k = problem.method_options(_SpreadingOptions).neighbours
        self.weights = latest_graph(self.features, k)
        self.solution = select(problem, ALPHAS, self.vote, title="Spreading by alpha")

    def shares(self, problem: LearningProblem, alpha: float) -> Array:
        labels = np.zeros((len(problem.x), problem.single_label.classes))
        labelled = np.flatnonzero(problem.labelled)
        labels[labelled, problem.y[labelled]] = 1.0
        return spread_labels(self.weights, labels, alpha)

    def vote(self, problem: LearningProblem, alpha: float) -> NeighbourVote:
        shares = torch.from_numpy(self.shares(problem, alpha)).float()
        return NeighbourVote(problem, self.space, self.features, shares)


class FeatureSpace(nn.Module):
    """Features (B, K) by which samples are compared: their embedding, or principal components.

    Mean (features,) and components (K, features) are empty for the embedding. Components are those
    of samples as they are, or of the edges of images: of 15,000 images of MNIST 300 of which had a
    label, labels that spread along pixels were wrong in 7.2 % of the others, along edges in 2.9 %;
    of Fashion-MNIST in 24.4 and 19.4 % (means of three draws, at 0.95).
    """

    mean: Tensor
    components: Tensor
    embedding_mean: Tensor
    embedding_scale: Tensor

    def __init__(
        self, problem: LearningProblem, mean: Array | None = None, components: Array | None = None
    ) -> None:
        super().__init__()
        self.edges = problem.is_image
        title = "components of edges" if self.edges else "principal components"
        self.title = "embeddings" if components is None else title
        for name, learned in (("mean", mean), ("components", components)):
            buffer = torch.zeros(0) if learned is None else torch.from_numpy(learned).float()
            self.register_buffer(name, buffer)
        # Not stored twice: these buffers are not persistent, and a list hides the weights.
        self.source: list[AutoencoderModule] = []
        if problem.autoencoder is not None:
            self.source.append(problem.autoencoder.module_)
            for name in ("embedding_mean", "embedding_scale"):
                values = torch.from_numpy(getattr(problem.autoencoder, f"{name}_"))
                self.register_buffer(name, values, persistent=False)

    @classmethod
    def candidates(cls, problem: LearningProblem) -> tuple[FeatureSpace, FeatureSpace]:
        """Return the space of embeddings, and that of principal components."""
        by_embedding = cls(problem)
        some = np.random.default_rng(problem.seed).permutation(len(problem.x))[:_PCA_SAMPLES]
        pca = fit_pca(_compute(by_embedding.flat, problem.x[some]), COMPONENTS, problem.seed)
        return by_embedding, cls(problem, pca.mean_, pca.components_)

    def flat(self, x: Tensor) -> Tensor:
        """Return what components are of, (B, features)."""
        return edge_histograms_of(x) if self.edges else torch.nan_to_num(x).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of samples (B, ...), (B, K)."""
        if len(self.components):
            return (self.flat(x) - self.mean) @ self.components.mT
        (source,) = self.source
        embeddings: Tensor = source.features(x)
        return (embeddings - self.embedding_mean) / self.embedding_scale


class NeighbourVote(StoredSizes):
    """Scores of a sample from the class shares (n, C) of its nearest neighbours, by nearness."""

    features: Tensor
    shares: Tensor

    def __init__(
        self, problem: LearningProblem, space: FeatureSpace, features: Tensor, shares: Tensor
    ) -> None:
        super().__init__()
        self.k = int(problem.method_options(_SpreadingOptions).neighbours)
        self.space = space
        self.task = problem.single_label
        self.register_buffer("features", features)
        self.register_buffer("shares", shares)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithms of the shares as the task's scores."""
        k = min(self.k, len(self.features))
        index, squares = nearest_of(self.space(x), self.features, k)
        radius = squares[:, -1:].clamp(min=float(np.finfo(np.float32).tiny))
        weights = (-squares / radius).exp()
        votes = (weights[:, :, None] * self.shares[index]).sum(dim=1)
        shares = votes / weights.sum(dim=1, keepdim=True)
        return self.task.from_classes((shares + 1e-6).log())

    @torch.no_grad()
    def tied(self, x: Tensor) -> Tensor:
        """Return for which samples the last voter is as near as one that has no vote (B,)."""
        if self.k >= len(self.features):
            return torch.zeros(len(x), dtype=torch.bool)
        features = self.space(x).double()
        _, squares = nearest_of(features, self.features.double(), self.k + 1)
        last, next_one = squares[:, -2:].unbind(1)
        return next_one - last <= _TIE * next_one.clamp(min=1e-12)


@torch.no_grad()
def _compute(function: Callable[[Tensor], Tensor], x: Tensor) -> Float32s:
    """Return what a function makes of samples, a batch at a time."""
    shape = tuple(function(x[:1]).shape[1:])
    return in_batches(len(x), lambda start, stop: function(x[start:stop]), shape)
