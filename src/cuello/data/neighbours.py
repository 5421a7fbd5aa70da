"""Which rows are nearest to which.

Shapes: n rows, K numbers a row is found by, k neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

__all__ = ["Nearby", "neighbours", "without_itself"]

_BLOCK = 2**24
"""Distances that are held at once: 64 MiB."""
_HALVINGS = 64


def neighbours(
    queries: Tensor, rows: Tensor, k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return places and squared distances of the k nearest rows of each query, (queries, k) each.

    Every distance is computed, a block of queries at a time: for 60,000 rows of 32 numbers that
    takes half a minute on two cores, and a library for approximate search that compiles itself
    first takes longer.

    Examples
    --------
    >>> rows = torch.tensor([[0.0], [10.0]])
    >>> neighbours(torch.tensor([[1.0]]), rows, 1)[1].tolist()
    [[1.0]]
    """
    squares = (rows * rows).sum(dim=1)
    block = max(_BLOCK // max(len(rows), 1), 1)
    index = np.empty((len(queries), k), dtype=np.int64)
    distance = np.empty((len(queries), k), dtype=np.float32)
    for start in range(0, len(queries), block):
        part = queries[start : start + block]
        # Less the query's own square, which orders nothing and is added to what is kept.
        partial = torch.addmm(squares, part, rows.mT, alpha=-2.0)
        found = partial.topk(k, dim=1, largest=False)
        whole = found.values + (part * part).sum(dim=1, keepdim=True)
        index[start : start + block] = found.indices.numpy()
        distance[start : start + block] = whole.clamp(min=0.0).numpy()
    return index, distance


@dataclass(frozen=True)
class Nearby:
    """The neighbours of every row, to draw one from.

    Parameters
    ----------
    starts : Tensor
        (n + 1,) where the neighbours of each row begin among all.
    places : Tensor
        The rows that they are.
    weights : Tensor
        Sums of the weights up to and with each of them, float64.

    Notes
    -----
    Row j is a neighbour of row i to a degree that falls from 1, for the nearest, with how much
    farther it is, at a rate that gives each row a total of log2(k + 1). A pair counts that is near
    in one direction or the other, a + b - a b. (McInnes, Healy and Melville, "UMAP: uniform
    manifold approximation and projection", 2018, section 3.1.)

    Examples
    --------
    >>> rows = torch.tensor([[0.0], [1.0], [5.0], [6.0]])
    >>> Nearby.of(rows, 1).draw(torch.tensor([0, 1, 2, 3])).tolist()
    [1, 0, 3, 2]
    """

    starts: Tensor
    places: Tensor
    weights: Tensor

    @classmethod
    def of(cls, rows: Tensor, k: int) -> Nearby:
        """Find the k nearest others of each row (n, K); a single row is its own neighbour."""
        n = len(rows)
        k = min(k, n - 1)
        if k < 1:
            one = torch.zeros(1, dtype=torch.int64)
            return cls(torch.tensor([0, 1]), one, torch.ones(1, dtype=torch.float64))
        index, squares = without_itself(*neighbours(rows, rows, k + 1))
        weights = _degrees(np.sqrt(squares.astype(np.float64)))
        starts = np.arange(0, n * k + 1, k)
        directed = sparse.csr_array((weights.ravel(), index.ravel(), starts), shape=(n, n))
        both = sparse.csr_array(directed + directed.T - directed * directed.T)
        return cls(
            torch.from_numpy(both.indptr.astype(np.int64)),
            torch.from_numpy(both.indices.astype(np.int64)),
            torch.from_numpy(np.cumsum(both.data)),
        )

    def draw(self, index: Tensor, steps: int = 1) -> Tensor:
        """Draw a neighbour of each of these rows by its degree, from torch's global generator.

        With several steps, a neighbour of a neighbour, and so on.
        """
        for _ in range(steps):
            index = self._step(index)
        return index

    def _step(self, index: Tensor) -> Tensor:
        sums = torch.cat([self.weights.new_zeros(1), self.weights])
        first, last = self.starts[index], self.starts[index + 1]
        low, high = sums[first], sums[last]
        uniform = torch.rand(len(index), dtype=torch.float64, device=index.device)
        found = torch.searchsorted(self.weights, low + uniform * (high - low), right=True)
        # Rounding may reach the end of a row's own part.
        return self.places[torch.minimum(found, last - 1)]

    def to(self, device: torch.device) -> Nearby:
        """Return the same neighbours on a device."""
        return Nearby(self.starts.to(device), self.places.to(device), self.weights.to(device))


def without_itself(
    index: npt.NDArray[np.int64], squares: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Leave each row (n, k + 1) out of its own neighbours; return (n, k)."""
    n = len(index)
    own = index == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True  # among more than k equal rows it may have missed itself
    return index[~own].reshape(n, -1), squares[~own].reshape(n, -1)


def _degrees(apart: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return to which degree each neighbour (n, k), nearest first, is one, in (0, 1]."""
    farther = apart - apart[:, :1]
    target = np.log2(apart.shape[1] + 1)  # the row itself counts, too
    low = np.zeros(len(apart))
    width, high = np.ones(len(apart)), np.full(len(apart), np.inf)
    for _ in range(_HALVINGS):
        total = np.exp(-farther / width[:, None]).sum(axis=1)
        high, low = np.where(total > target, width, high), np.where(total > target, low, width)
        width = np.where(np.isinf(high), 2.0 * width, (low + high) / 2.0)
    floor = 1e-3 * max(apart.mean(), np.finfo(np.float64).tiny)
    degrees: npt.NDArray[np.float64] = np.exp(-farther / np.maximum(width, floor)[:, None])
    return np.maximum(degrees, 1e-12)
