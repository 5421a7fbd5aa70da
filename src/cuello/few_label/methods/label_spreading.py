"""Label spreading: each row takes the label that its nearest neighbours agree on.

Shapes: B rows of a batch, n rows, K numbers by which rows are compared, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cuello.data.edges import edge_histograms
from cuello.data.neighbours import neighbours
from cuello.errors import InputError
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca
from cuello.estimators.batches import in_batches
from cuello.few_label.base import Method, Problem, Solution, register
from cuello.few_label.choosing import choose, scores_of
from cuello.few_label.graph import Graph, spread
from cuello.few_label.students import is_image

__all__ = ["Guess", "NeighbourVote", "Spread"]

Array = npt.NDArray[Any]
Guess = Callable[[Problem], Array]
"""Returns shares of each class (n, C) for the rows of a problem."""

ALPHAS = (0.8, 0.95, 0.99)
"""What is chosen from: how far labels travel."""
NEIGHBOURS = 15
COMPONENTS = 50
MOST_ROWS = 60_000
"""Every row is compared with every other, so of more than these a sample stands for all."""


@final
class Spread(Method):
    """Labels flow along a graph of codes, or of principal components; a new row asks neighbours.

    Components are those of rows as they are, and for images those of their edges
    (:mod:`cuello.data.edges`): of 15,000 images of MNIST 300 of which had a label, labels that
    spread along pixels were wrong in 7.2 % of the others, along edges in 2.9 %; of Fashion-MNIST in
    24.4 and 19.4 % (means of three draws, at 0.95).
    """

    name = "label_spreading"
    summary = "labels flow to the nearest neighbours among all rows, labelled or not"
    uses_unlabelled = True
    single_label_only = True
    temper = False
    options: ClassVar[Mapping[str, str]] = {"neighbours": f"of each row; {NEIGHBOURS}"}

    def fit(self, problem: Problem) -> Solution:
        """Spread along the better of two graphs, with the best of several reaches."""
        return self.solve(problem)[0]

    def solve(self, problem: Problem) -> tuple[Solution, Guess]:
        """Return the solution, and what spreads other labels of the same rows in the same way."""
        rows = _rows_of_graph(problem)
        few = problem if len(rows) == len(problem.x) else problem.among(rows)
        by_codes, by_components = (_Spreading.along(few, space) for space in Space.both(few))
        quality = [_quality(found.solution) for found in (by_codes, by_components)]
        best, name = by_codes, "codes"
        if quality[1] > quality[0]:
            best, name = by_components, by_components.space.called
        why = (
            "no labels were held out to compare by"
            if np.isnan(quality[0])
            else f"{problem.task.unit} on folds {quality[0]:.3f} by codes, {quality[1]:.3f} by "
            f"{by_components.space.called}"
        )
        said = f"Neighbours by {name}: {why}."

        def guess(part: Problem) -> Array:
            if few is problem:
                return best.shares(part, best.solution.chosen)
            return _ask(best.vote(part.among(rows), best.solution.chosen), part)

        return replace(best.solution, said=[said, *best.solution.said]), guess

    def check(self, problem: Problem) -> None:
        """Refuse a number of neighbours that is none."""
        _neighbours(problem)

    def build(self, problem: Problem) -> nn.Module:
        """Return a vote among no rows; the stored ones take their place."""
        sizes = (torch.zeros(0) for _ in range(4))  # each its own: they will be of other sizes
        space = Space(problem.autoencoder, next(sizes), next(sizes), by_edges=is_image(problem))
        return NeighbourVote(problem, space, *sizes)


@dataclass
class _Spreading:
    """Labels along one graph.

    Parameters
    ----------
    space : Space
        What the rows were compared by.
    codes : Tensor of shape (n, K)
        Of the rows in it.
    graph : Graph
        Of the same rows.
    """

    space: Space
    codes: Tensor
    graph: Graph
    solution: Solution = field(init=False)

    @classmethod
    def along(cls, problem: Problem, space: Space) -> _Spreading:
        width = tuple(space(problem.x[:1]).shape[1:])
        codes = torch.from_numpy(
            in_batches(len(problem.x), lambda a, b: space(problem.x[a:b]), width)
        )
        own = cls(space, codes, Graph.of(codes, _neighbours(problem)))
        own.solution = choose(problem, ALPHAS, own.vote, what="Reach")
        return own

    def shares(self, problem: Problem, alpha: float) -> Array:
        known = np.zeros((len(problem.x), problem.single_label.classes))
        labelled = np.flatnonzero(problem.labelled)
        known[labelled, problem.y[labelled]] = 1.0
        return spread(self.graph, known, alpha)

    def vote(self, problem: Problem, alpha: float) -> NeighbourVote:
        shares = torch.from_numpy(self.shares(problem, alpha)).float()
        return NeighbourVote(problem, self.space, self.codes, shares)


class Space(nn.Module):
    """What rows are compared by: their codes, or principal components if there are any.

    Parameters
    ----------
    autoencoder : Autoencoder or None
        Gives the codes.
    mean, components : Tensor of shape (features,) and (K, features)
        Empty: by codes.
    by_edges : bool
        Whether they are of the edges of images.
    """

    mean: Tensor
    components: Tensor

    def __init__(
        self, autoencoder: Autoencoder | None, mean: Tensor, components: Tensor, *, by_edges: bool
    ) -> None:
        super().__init__()
        self.by_edges = by_edges
        self.source = [autoencoder]  # in a list, so that its weights are not stored twice
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)

    @classmethod
    def both(cls, problem: Problem) -> tuple[Space, Space]:
        """Return the space of codes, and that of components of (up to 10,000) rows."""
        none, by_edges = torch.zeros(0), is_image(problem)
        some = np.random.default_rng(problem.seed).permutation(len(problem.x))[:10_000]
        pca = fit_pca(_flat(problem.x[some], by_edges).numpy(), COMPONENTS, problem.seed)
        fitted = (
            torch.from_numpy(np.asarray(part, dtype=np.float32))
            for part in (pca.mean_, pca.components_)
        )
        own = problem.autoencoder
        by_codes = cls(own, none, none, by_edges=by_edges)
        return by_codes, cls(own, *fitted, by_edges=by_edges)

    @property
    def called(self) -> str:
        """What rows are compared by, for people."""
        return "components of edges" if self.by_edges else "principal components"

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return what rows (B, ...) are compared by, (B, K)."""
        if len(self.components):
            return (_flat(x, self.by_edges) - self.mean) @ self.components.mT
        (source,) = self.source
        assert source is not None
        codes: Tensor = source.module_.features(x)
        return (codes - torch.from_numpy(source.embedding_mean_)) / torch.from_numpy(
            source.embedding_scale_
        )


def _flat(x: Tensor, by_edges: bool) -> Tensor:
    if by_edges:
        return torch.from_numpy(edge_histograms(x.numpy()))
    return torch.nan_to_num(x).flatten(1)


class NeighbourVote(nn.Module):
    """Scores of a row from the label shares of its nearest rows, the nearer the heavier.

    Parameters
    ----------
    problem : Problem
        How many neighbours vote.
    space : Space
        What rows are compared by.
    codes : Tensor of shape (n, K)
        Of the rows that vote.
    shares : Tensor of shape (n, C)
        Of each class.
    """

    codes: Tensor
    shares: Tensor

    def __init__(self, problem: Problem, space: Space, codes: Tensor, shares: Tensor) -> None:
        super().__init__()
        self.k = _neighbours(problem)
        self.space = space
        self.task = problem.single_label
        self.register_buffer("codes", codes)
        self.register_buffer("shares", shares)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithms of the shares as the task's scores."""
        index, squares = neighbours(self.space(x), self.codes, min(self.k, len(self.codes)))
        radius = np.maximum(squares[:, -1:], np.finfo(np.float32).tiny)
        weights = torch.from_numpy(np.exp(-squares / radius))
        votes = (weights[:, :, None] * self.shares[torch.from_numpy(index)]).sum(dim=1)
        shares = votes / weights.sum(dim=1, keepdim=True)
        return self.task.from_classes((shares + 1e-6).log())

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **options: Any) -> Any:
        """Take stored buffers, whatever their sizes: only they tell how many rows vote."""
        for name, buffer in dict(self.named_buffers()).items():
            buffer.resize_(state_dict[name].shape)
        return super().load_state_dict(state_dict, *args, **options)


def _ask(vote: NeighbourVote, problem: Problem) -> Array:
    """Return the shares of each class for all rows of a problem, (n, C)."""
    task = problem.single_label
    scores = scores_of(vote, problem.x, np.arange(len(problem.x)), task.outputs)
    shares: Array = task.to_classes(torch.from_numpy(scores)).double().softmax(dim=1).numpy()
    return shares


def _rows_of_graph(problem: Problem) -> npt.NDArray[np.int64]:
    """Return the places of the rows in the graph: all labelled ones, and others drawn."""
    if len(problem.x) <= MOST_ROWS:
        return np.arange(len(problem.x))
    labelled, others = np.flatnonzero(problem.labelled), np.flatnonzero(~problem.labelled)
    room = max(MOST_ROWS - len(labelled), 0)
    drawn = np.random.default_rng(problem.seed).choice(others, room, replace=False)
    return np.sort(np.concatenate([labelled, drawn]))


def _quality(solution: Solution) -> float:
    return solution.cv_scores.get(solution.chosen, float("nan"))


def _neighbours(problem: Problem) -> int:
    count = problem.option("neighbours", NEIGHBOURS)
    if not isinstance(count, int | np.integer) or count < 1:
        raise InputError(f"neighbours={count!r} must be a whole number from 1 on; 15 is usual.")
    return int(count)


register(Spread())
