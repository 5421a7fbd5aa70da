"""Calibration against its formulas, its laws, and samples of known probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from cuello.errors import InputError
from cuello.metrics import expected_calibration_error, temperature

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


@settings(max_examples=30)
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
    T = temperature(scores, y, prior_weight=prior)
    best = loss(T, scores, y, prior)
    for other in np.exp(np.linspace(-6, 6, 200)):
        assert best <= loss(other, scores, y, prior) + 1e-6


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_known_temperature_is_found(truth):
    scores, _, y = drawn(20_000, 4, 0, truth)
    assert temperature(scores, y) == pytest.approx(truth, rel=0.03)
    assert temperature(scores + 100.0, y) == pytest.approx(truth, rel=0.03)


def test_few_samples_are_drawn_to_one_and_samples_all_right_stay_finite():
    scores = np.array([[5.0, 0.0], [0.0, 5.0]])
    assert 0.5 < temperature(scores, [0, 1]) < 1.0  # alone they would ask for 0
    assert 1.0 < temperature(scores, [1, 1]) < 5.0
    distances = [abs(np.log(temperature(scores, [1, 1], prior_weight=m))) for m in (1, 4, 16, 64)]
    assert distances == sorted(distances, reverse=True)
    assert temperature(np.empty((0, 3)), np.empty(0, int)) == 1.0
    assert 1e-3 <= temperature(scores, [0, 1], prior_weight=0.0) < 0.1


def test_prior_gives_better_probabilities_from_few_samples():
    def loss_elsewhere(prior):
        losses = []
        for seed in range(200):
            scores, _, y = drawn(1010, 3, seed, truth=1.5)
            T = temperature(scores[:10], y[:10], prior_weight=prior)
            losses.append(loss(T, scores[10:], y[10:], 0.0) / 1000)
        return np.mean(losses)

    assert loss_elsewhere(4.0) < loss_elsewhere(0.0)


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
    assert error >= whole - 1e-12


def test_calibration_error_of_many_samples_tells_right_from_wrong():
    _, p, y = drawn(50_000, 4, 0)
    assert expected_calibration_error(p, y) < 0.01
    sharp = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert expected_calibration_error(sharp, y) > 0.05


def test_one_hot_and_uniform_samples_fall_into_the_outer_bins():
    p = np.array([[1.0, 0.0], [0.5, 0.5]])
    assert expected_calibration_error(p, [0, 1], bins=4) == 0.25  # gaps of 0 and 0.5


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
    for function in (temperature, expected_calibration_error):
        with pytest.raises(InputError, match=saying):
            function(values, y)


def test_what_is_no_probability_or_no_sample():
    with pytest.raises(InputError, match="probabilities must be 0 or more and sum to 1"):
        expected_calibration_error(2 * P, [0, 1])
    with pytest.raises(InputError, match="no sample"):
        expected_calibration_error(P[:0], np.empty(0, int))
    with pytest.raises(InputError, match="bins=0"):
        expected_calibration_error(P, [0, 1], bins=0)
    with pytest.raises(InputError, match="prior_weight=-1"):
        temperature(P, [0, 1], prior_weight=-1.0)
