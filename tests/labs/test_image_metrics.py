"""Measures of images against their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from cuello_labs.metrics import frechet_distance, psnr, ssim


def test_psnr_of_equal_samples_is_infinite_and_of_a_tenth_20_db():
    X = np.zeros((2, 3, 3))
    Y = X.copy()
    Y[1] += 0.1
    assert psnr(X, Y)[0] == np.inf
    assert psnr(X, Y)[1] == pytest.approx(20.0)
    assert psnr(255 * X, 255 * Y, data_range=255.0)[1] == pytest.approx(20.0)


def test_ssim_is_its_formula_window_by_window():
    rng = np.random.default_rng(0)
    X, Y = rng.random((2, 2, 13, 12))
    axis = np.arange(-5, 6)
    window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))
    window /= window.sum()
    expected = []
    for x, y in zip(X, Y, strict=True):
        values = []
        for top in range(3):
            for left in range(2):
                a, b = (m[top : top + 11, left : left + 11] for m in (x, y))
                ma, mb = (window * a).sum(), (window * b).sum()
                va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
                cov = (window * (a - ma) * (b - mb)).sum()
                values.append(
                    (2 * ma * mb + 1e-4)
                    * (2 * cov + 9e-4)
                    / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4))
                )
        expected.append(np.mean(values))
    assert ssim(X, Y) == pytest.approx(expected, rel=1e-9)
    assert ssim(255 * X, 255 * Y, data_range=255.0) == pytest.approx(expected, rel=1e-9)
    assert ssim(X, Y) == pytest.approx(ssim(Y, X))


def test_ssim_of_flat_images_compares_their_brightness():
    X, Y = np.full((1, 11, 11), 0.2), np.full((1, 11, 11), 0.6)
    assert ssim(X, Y)[0] == pytest.approx((2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4))


def test_frechet_distance_of_independent_features_is_that_of_means_and_deviations():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(200, 4))
    A = (A - A.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(A.T))).T  # covariance exactly I
    B = A * np.array([1.0, 2.0, 3.0, 0.5]) + np.array([0.0, 1.0, 0.0, 2.0])
    assert frechet_distance(A, B) == pytest.approx((1 + 4) + (1 + 4 + 0.25))
    assert frechet_distance(B, A) == pytest.approx(frechet_distance(A, B))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert frechet_distance(A @ turn, B @ turn) == pytest.approx(frechet_distance(A, B))
