"""Measures against their formulas, over any number of chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.metrics import difference, frechet_distance, mean_sd, psnr, row_errors, ssim


@given(
    rows=st.integers(0, 30),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8]),
    chunk=st.integers(1, 31),
)
def test_row_errors_are_their_formula_whatever_the_chunk(rows, shape, dtype, chunk):
    X, Y = (255 * np.random.default_rng(0).random((2, rows, *shape))).astype(dtype)
    exact = (X.astype(np.float64) - Y.astype(np.float64)) ** 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(difference, "_CHUNK", chunk)
        errors = row_errors(X, Y)
    assert errors.dtype == np.float64
    np.testing.assert_allclose(errors, [row.mean() for row in exact], rtol=1e-12)


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20))
def test_mean_and_sample_standard_deviation(values):
    mean, sd = mean_sd(values)
    assert mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    squares = sum((v - mean) ** 2 for v in values)
    assert sd == pytest.approx((squares / max(len(values) - 1, 1)) ** 0.5, abs=1e-9)


def test_psnr_of_equal_rows_is_infinite_and_of_a_tenth_20_db():
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
