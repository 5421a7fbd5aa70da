"""Closed forms of linear autoencoders, from the eigenvalues of the covariance.

Shapes: n samples, D features, K latents. Covariances divide by n, as losses do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import subspace_angles
from scipy.optimize import linear_sum_assignment

from cuello.study.figures import new

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

__all__ = [
    "Principal",
    "axis_angles",
    "cosine_grid",
    "cosines",
    "gaussian_log_likelihood",
    "subspace_angle",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Principal:
    """Principal axes of centred samples, and the optima of linear models with K latents.

    Parameters
    ----------
    eigenvalues : ndarray of shape (D,)
        Of the covariance, largest first.
    axes : ndarray of shape (D, K)
        The K first eigenvectors.
    """

    eigenvalues: Array
    axes: Array

    @classmethod
    def of(cls, X: Array, latent_dim: int) -> Principal:
        """Compute from centred samples (n, D)."""
        exact = X.astype(np.float64)
        values, vectors = np.linalg.eigh(exact.T @ exact / len(exact))
        return cls(np.clip(values[::-1], 0.0, None), vectors[:, ::-1][:, :latent_dim])

    @property
    def discarded(self) -> float:
        """Sum of the other eigenvalues: the least squared error a sample of K linear latents."""
        return float(self.eigenvalues[self.axes.shape[1] :].sum())

    def shrunk(self, penalty: float) -> Array:
        """Return the singular values (K,) of the best decoder under penalty * |weights|²."""
        kept = self.eigenvalues[: self.axes.shape[1]]
        return np.sqrt(np.clip(1.0 - penalty / kept, 0.0, None))

    def penalised(self, penalty: float) -> float:
        """Return the least squared error a sample plus penalty * |weights of both layers|²."""
        kept = self.eigenvalues[: self.axes.shape[1]]
        alive = np.where(kept > penalty, 2.0 * penalty - penalty**2 / kept, kept)
        return self.discarded + float(alive.sum())

    @property
    def noise(self) -> float:
        """Variance of the noise in probabilistic PCA: the mean of the discarded eigenvalues."""
        return float(self.discarded / (len(self.eigenvalues) - self.axes.shape[1]))

    @property
    def log_likelihood(self) -> float:
        """The greatest mean log-likelihood of a sample under probabilistic PCA, in nats."""
        features, kept = len(self.eigenvalues), self.axes.shape[1]
        logs = np.log(self.eigenvalues[:kept]).sum() + (features - kept) * math.log(self.noise)
        return -0.5 * float(features * (math.log(2 * math.pi) + 1.0) + logs)


def gaussian_log_likelihood(X: Array, weight: Array, bias: Array, noise: float) -> float:
    """Return the mean log-likelihood of samples (n, D), in nats, under N(bias, W W' + noise I).

    Parameters
    ----------
    weight : ndarray of shape (D, K)
        Of a linear decoder whose latents are N(0, I).
    """
    features = X.shape[1]
    covariance = weight.astype(np.float64) @ weight.T + noise * np.eye(features)
    away = X.astype(np.float64) - bias
    _, log_determinant = np.linalg.slogdet(covariance)
    squares = np.einsum("nd,dn->n", away, np.linalg.solve(covariance, away.T))
    return -0.5 * float(features * math.log(2 * math.pi) + log_determinant + squares.mean())


def subspace_angle(weight: Array, axes: Array) -> float:
    """Return the largest angle, in degrees, between the spans of the columns of two (D, K)."""
    return float(np.degrees(subspace_angles(weight.astype(np.float64), axes).max()))


def cosines(directions: Array, axes: Array) -> Array:
    """Return |cosine| (K, K) between columns: axes by directions, these in their best order."""
    lengths = np.maximum(np.linalg.norm(directions, axis=0), 1e-12)
    table = np.abs(axes.T @ (directions / lengths))
    _, order = linear_sum_assignment(-table)
    return np.asarray(np.clip(table[:, order], 0.0, 1.0))


def axis_angles(directions: Array, axes: Array) -> float:
    """Return the mean angle, in degrees, between each axis and the direction matched with it."""
    return float(np.degrees(np.arccos(np.diag(cosines(directions, axes)))).mean())


def cosine_grid(tables: Mapping[str, Array], *, columns: int = 3) -> Figure:
    """Draw |cosines| (K, K) of :func:`cosines` by title, dark where they are near 1."""
    lines = -(-len(tables) // columns)
    with new(columns, lines, width=11.0, height=0.4 + 3.1 * lines, squeeze=False) as (figure, grid):
        for axes in grid.flat[len(tables) :]:
            axes.set_visible(False)
        for axes, (title, table) in zip(grid.flat, tables.items(), strict=False):
            image = axes.imshow(table, cmap="Blues", vmin=0.0, vmax=1.0)
            ticks = range(len(table))
            axes.set_xticks(ticks, [i + 1 for i in ticks])
            axes.set_yticks(ticks, [i + 1 for i in ticks])
            axes.grid(False)
            axes.set(xlabel="direction of the decoder", ylabel="axis of PCA")
            axes.set_title(title, loc="left", fontsize=10)
            figure.colorbar(image, ax=axes, label="|cosine|", shrink=0.8)
    return figure
