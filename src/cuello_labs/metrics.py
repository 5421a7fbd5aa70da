"""Measures of images: similarity to a clean image, and of a set of images to another."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from scipy.ndimage import correlate1d

from cuello.arrays import Array, Floats
from cuello.metrics import sample_errors

__all__ = ["frechet_distance", "psnr", "ssim"]

_CHUNK = 4096


def psnr(X: Array, Y: Array, *, data_range: float = 1.0) -> Floats:
    """Return the peak signal-to-noise ratio of each sample, 10 log10(range² / MSE) in dB, (n,).

    Infinite where the samples are equal.

    Examples
    --------
    >>> psnr(np.zeros((1, 4)), np.full((1, 4), 0.1)).round(6)
    array([20.])
    """
    with np.errstate(divide="ignore"):
        decibels: Floats = 10.0 * np.log10(data_range**2 / sample_errors(X, Y))
    return decibels


def ssim(
    X: Array,
    Y: Array,
    *,
    data_range: float = 1.0,
    sigma: float = 1.5,
    radius: int = 5,
) -> Floats:
    """Return the structural similarity of each image to its target, shape (n,), 1 where equal.

    Parameters
    ----------
    X, Y : ndarray of shape (n, height, width)
    data_range : float
        Largest possible value less the smallest.
    sigma, radius : float, int
        The window: a Gaussian of this standard deviation, cut to 2 radius + 1 pixels a side.

    Notes
    -----
    Mean over all windows that lie inside the image of equation 13 of Wang et al., "Image quality
    assessment: from error visibility to structural similarity", IEEE Transactions on Image
    Processing 13 (2004), with its constants (0.01 range)² and (0.03 range)² and its 11x11 window of
    deviation 1.5.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((2, 16, 16))
    >>> ssim(X, X)
    array([1., 1.])
    """
    assert X.shape == Y.shape
    assert min(X.shape[1:]) > 2 * radius
    window = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    window /= window.sum()

    def mean(a: Floats) -> Floats:
        for axis in (1, 2):
            a = correlate1d(a, window, axis=axis)
        inside: Floats = a[:, radius:-radius, radius:-radius]
        return inside

    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    out = np.empty(len(X))
    for start in range(0, len(X), _CHUNK):  # bounds the memory of the float64 maps
        x = X[start : start + _CHUNK].astype(np.float64)
        y = Y[start : start + _CHUNK].astype(np.float64)
        mx, my = mean(x), mean(y)
        vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        similar = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
        out[start : start + _CHUNK] = similar.mean(axis=(1, 2))
    return out


def frechet_distance(A: Array, B: Array) -> float:
    """Return the squared Fréchet distance of the Gaussians that fit two sets of features.

    ``|m_A - m_B|² + tr(S_A + S_B - 2 (S_A S_B)^(1/2))``, in squared units of the features.

    Parameters
    ----------
    A, B : ndarray of shape (n, K), (m, K)
        More samples than features each.

    Notes
    -----
    Dowson and Landau, "The Fréchet distance between multivariate normal distributions", Journal of
    Multivariate Analysis 12 (1982); as a measure of generated images: Heusel et al., NeurIPS 2017.

    Examples
    --------
    >>> A = np.random.default_rng(0).normal(size=(500, 3))
    >>> round(frechet_distance(A, A), 6), round(frechet_distance(A, A + 2.0), 6)
    (0.0, 12.0)
    """
    a, b = A.astype(np.float64), B.astype(np.float64)
    S_a, S_b = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    values, vectors = eigh(S_a)
    root = (vectors * np.sqrt(values.clip(0.0))) @ vectors.T
    # Of S_A S_B itself the eigenvalues are the same, but of a symmetric matrix they stay real.
    cross = np.sqrt(eigh(root @ S_b @ root, eigvals_only=True).clip(0.0)).sum()
    apart = float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum())
    return max(apart + float(np.trace(S_a) + np.trace(S_b) - 2.0 * cross), 0.0)
