"""Label spreading on the graph of nearest neighbours.

Shapes: n samples, K features by which they are compared, k neighbours, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from torch import Tensor

from cuello.arrays import Floats
from cuello.data.neighbours import nearest_others

__all__ = ["Graph", "spread_labels"]

_MAX_STEPS = 50


@dataclass(frozen=True)
class Graph:
    """Nearest neighbours of every sample, as a symmetric matrix of weights.

    Parameters
    ----------
    weights : sparse array of shape (n, n)
        Normalised by the square roots of the degrees, so that no eigenvalue is above 1.
    """

    weights: sparse.csr_array

    @classmethod
    def of(cls, features: Tensor, k: int) -> Graph:
        """Connect each sample (n, K) with its k nearest others.

        A weight falls with the squared distance, in units of the distance to the k-th neighbour,
        which adapts to dense and sparse regions (after Zelnik-Manor and Perona, "Self-tuning
        spectral clustering", NeurIPS 2004). The larger unit of both samples counts, so that none
        is cut off.

        Examples
        --------
        >>> import torch
        >>> line = torch.tensor([[0.0], [1.0], [5.0], [6.0]])
        >>> Graph.of(line, 1).weights.toarray().round(2).tolist()[0]
        [0.0, 1.0, 0.0, 0.0]
        """
        n = len(features)
        k = min(k, n - 1)
        index, squares = nearest_others(features, k)
        squares = squares.astype(np.float64)
        radius = squares.max(axis=1, initial=0.0)
        larger = np.maximum(radius[:, None], radius[index])
        weights = np.exp(-squares / np.where(larger > 0.0, larger, 1.0))
        starts = np.arange(0, n * k + 1, k) if k else np.zeros(n + 1, dtype=np.int64)
        directed = sparse.csr_array((weights.ravel(), index.ravel(), starts), shape=(n, n))
        both = directed.maximum(directed.T)
        degree = np.asarray(both.sum(axis=0)).ravel()
        root = sparse.diags_array(1.0 / np.sqrt(np.maximum(degree, np.finfo(np.float64).tiny)))
        return cls(sparse.csr_array(root @ both @ root))


def spread_labels(graph: Graph, labels: Floats, alpha: float) -> Floats:
    """Return the class shares of every sample, from labels that spread along a graph.

    Source: Zhou et al., "Learning with local and global consistency", NeurIPS 2003.

    Parameters
    ----------
    graph : Graph
        Of n samples.
    labels : ndarray of shape (n, C)
        1 at the class of a labelled sample, otherwise 0.
    alpha : float
        In (0, 1): how much a sample takes from its neighbours, rather than from its own label.

    Returns
    -------
    ndarray of shape (n, C)
        Shares that sum to 1: what arrives from each class, every class counted as if it had as
        many labels as the others. Equal shares where nothing arrives.

    Examples
    --------
    >>> import torch
    >>> line = Graph.of(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), 1)
    >>> labels = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    >>> spread_labels(line, labels, 0.9).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """
    labels = labels / np.maximum(labels.sum(axis=0), 1.0)
    # Conjugate gradients on (I - alpha W) F = Y, all classes side by side: the matrix is symmetric
    # and its condition number is at most 2 / (1 - alpha).
    flow = labels.copy()
    residual = labels - (flow - alpha * (graph.weights @ flow))
    direction = residual.copy()
    power = (residual * residual).sum(axis=0)
    for _ in range(_MAX_STEPS):
        moved = direction - alpha * (graph.weights @ direction)
        step = power / np.maximum((direction * moved).sum(axis=0), np.finfo(np.float64).tiny)
        flow += step * direction
        residual -= step * moved
        previous, power = power, (residual * residual).sum(axis=0)
        if np.all(power <= 1e-16 * np.maximum((labels * labels).sum(axis=0), 1e-300)):
            break
        direction = residual + (power / np.maximum(previous, np.finfo(np.float64).tiny)) * direction
    flow = np.maximum(flow, 0.0)
    total = flow.sum(axis=1, keepdims=True)
    shares: Floats = np.where(
        total > 0.0, flow / np.where(total > 0.0, total, 1.0), 1.0 / flow.shape[1]
    )
    return shares
