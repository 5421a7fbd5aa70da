"""Calibration against its formulas, its laws, and rows drawn from known probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss

from cuello.errors import InputError
from cuello.metrics import (
    brier_score,
    expected_calibration_error,
    reliability,
    temperature,
)

seeds = st.integers(0, 10_000)


def drawn(rows, classes, seed, truth=1.0):
    """Scores, and classes drawn from softmax(scores / truth)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=2.0, size=(rows, classes))
    p = softmax(scores / truth, axis=1)
    y = (p.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(max=classes - 1)
    return scores, p, y


def loss(T, scores, y, prior=4.0):
    likelihood = log_softmax(scores / T, axis=1)[np.arange(len(y)), y].sum()
    return -likelihood + prior * (1 / T - 1 - np.log(1 / T))


@given(
    rows=st.integers(1, 60),
    classes=st.integers(2, 5),
    seed=seeds,
    factor=st.floats(0.1, 10.0),
    prior=st.sampled_from([1.0, 4.0, 30.0]),
)
def test_temperature_is_the_lowest_point(rows, classes, seed, factor, prior):
    scores, _, y = drawn(rows, classes, seed)
    scores = factor * scores
    T = temperature(scores, y, prior_rows=prior)
    best = loss(T, scores, y, prior)
    for other in np.exp(np.linspace(-6, 6, 200)):
        assert best <= loss(other, scores, y, prior) + 1e-6


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_known_temperature_is_found(truth):
    scores, _, y = drawn(20_000, 4, 0, truth)
    assert temperature(scores, y) == pytest.approx(truth, rel=0.03)
    assert temperature(scores + 100.0, y) == pytest.approx(truth, rel=0.03)


def test_few_rows_are_drawn_to_one_and_rows_that_are_all_right_stay_finite():
    scores = np.array([[5.0, 0.0], [0.0, 5.0]])
    assert 0.5 < temperature(scores, [0, 1]) < 1.0  # alone they would ask for 0
    assert 1.0 < temperature(scores, [1, 1]) < 5.0
    distances = [abs(np.log(temperature(scores, [1, 1], prior_rows=m))) for m in (1, 4, 16, 64)]
    assert distances == sorted(distances, reverse=True)
    assert temperature(np.empty((0, 3)), np.empty(0, int)) == 1.0
    assert 1e-3 <= temperature(scores, [0, 1], prior_rows=0.0) < 0.1


def test_prior_gives_better_probabilities_from_few_rows():
    def loss_elsewhere(prior):
        losses = []
        for seed in range(200):
            scores, _, y = drawn(1010, 3, seed, truth=1.5)
            T = temperature(scores[:10], y[:10], prior_rows=prior)
            losses.append(loss(T, scores[10:], y[10:], 0.0) / 1000)
        return np.mean(losses)

    assert loss_elsewhere(4.0) < loss_elsewhere(0.0)


@given(rows=st.integers(1, 80), bins=st.integers(1, 20), mass=st.booleans(), seed=seeds)
def test_reliability_counts_every_row_once(rows, bins, mass, seed):
    _, p, y = drawn(rows, 3, seed)
    table = reliability(p, y, bins=bins, equal_mass=mass)
    assert table.rows.sum() == rows
    used = table.rows > 0
    assert np.isnan(table.accuracy[~used]).all()
    mean = np.average(table.accuracy[used], weights=table.rows[used])
    assert mean == pytest.approx((p.argmax(1) == y).mean())
    mean = np.average(table.confidence[used], weights=table.rows[used])
    assert mean == pytest.approx(p.max(1).mean())
    assert (table.low[used] <= table.confidence[used] + 1e-12).all()
    assert (table.confidence[used] <= table.high[used] + 1e-12).all()
    if mass:
        assert np.ptp(table.rows) <= 1
        assert len(table.rows) == min(bins, rows)
    else:
        assert len(table.rows) == bins


@given(rows=st.integers(1, 80), bins=st.integers(1, 20), seed=seeds)
def test_calibration_error_is_its_formula(rows, bins, seed):
    _, p, y = drawn(rows, 3, seed)
    confidence, right = p.max(1), p.argmax(1) == y
    expected = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            expected += inside.sum() * abs(confidence[inside].mean() - right[inside].mean())
    error = expected_calibration_error(p, y, bins)
    assert error == pytest.approx(expected / rows)
    whole = expected_calibration_error(p, y, 1)
    assert whole == pytest.approx(abs(confidence.mean() - right.mean()))
    # Splitting a bin can only bring gaps to light that cancelled.
    assert expected_calibration_error(p, y, bins, equal_mass=True) >= whole - 1e-12


@pytest.mark.parametrize("equal_mass", [False, True])
def test_calibration_error_of_many_rows_tells_right_from_wrong(equal_mass):
    _, p, y = drawn(50_000, 4, 0)
    assert expected_calibration_error(p, y, equal_mass=equal_mass) < 0.01
    sharp = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert expected_calibration_error(sharp, y, equal_mass=equal_mass) > 0.05


def test_one_hot_and_uniform_rows_fall_into_the_outer_bins():
    table = reliability(np.array([[1.0, 0.0], [0.5, 0.5]]), [0, 1], bins=4)
    np.testing.assert_array_equal(table.rows, [0, 1, 0, 1])


@given(rows=st.integers(1, 50), classes=st.integers(2, 5), seed=seeds)
def test_brier_score(rows, classes, seed):
    _, p, y = drawn(rows, classes, seed)
    expected = np.mean(
        [sum((p[i, c] - (c == y[i])) ** 2 for c in range(classes)) for i in range(rows)]
    )
    assert brier_score(p, y) == pytest.approx(expected)
    if classes == 2:
        assert brier_score(p, y) == pytest.approx(2 * brier_score_loss(y, p[:, 1], pos_label=1))
    assert brier_score(np.eye(classes)[y], y) == 0.0
    assert brier_score(np.eye(classes)[(y + 1) % classes], y) == 2.0


P = np.array([[0.5, 0.5], [0.9, 0.1]])


@pytest.mark.parametrize(
    ("values", "y", "saying"),
    [
        (P[0], [0], "shape"),
        (P, [0], "one class each"),
        (P, [0, 2], "from 0 to 1"),
        (P, [0, -1], "without a label"),
        (P, [0.0, 1.0], "whole numbers"),
        (P * np.nan, [0, 1], "NaN or infinite"),
    ],
)
def test_arrays_that_do_not_fit(values, y, saying):
    for function in (temperature, reliability, expected_calibration_error, brier_score):
        with pytest.raises(InputError, match=saying):
            function(values, y)


def test_what_is_no_probability_or_no_row():
    for function in (reliability, expected_calibration_error, brier_score):
        with pytest.raises(InputError, match="sum to 1"):
            function(2 * P, [0, 1])
    for function in (expected_calibration_error, brier_score):
        with pytest.raises(InputError, match="no row"):
            function(P[:0], np.empty(0, int))
    with pytest.raises(InputError, match="bins=0"):
        reliability(P, [0, 1], bins=0)
    with pytest.raises(InputError, match="prior_rows=-1"):
        temperature(P, [0, 1], prior_rows=-1.0)
