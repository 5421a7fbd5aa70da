"""Quality of a projection: against brute force, and at its ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.metrics import projection_quality


def voted(coordinates, y):
    """Accuracy of five nearest others, one row after another."""
    right = 0
    for i, point in enumerate(coordinates):
        apart = ((coordinates - point) ** 2).sum(axis=1)
        apart[i] = np.inf
        votes = np.bincount(y[np.argsort(apart)[:5]])
        right += votes.argmax() == y[i]
    return right / len(coordinates)


@given(st.integers(11, 60), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_accuracy_is_that_of_a_vote_among_the_others(n, k, classes, seed):
    rng = np.random.default_rng(seed)
    samples, coordinates = rng.normal(size=(n, 6)), rng.normal(size=(n, k))
    y = rng.integers(0, classes, size=n)
    quality = projection_quality(samples, coordinates, y)
    assert quality.knn_accuracy == pytest.approx(voted(coordinates, y))
    assert quality.trustworthiness <= 1.0


def test_the_samples_themselves_are_trusted_and_others_are_not():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(400, 2))
    assert projection_quality(samples, samples).trustworthiness == 1.0
    assert projection_quality(samples, 3.0 * samples[:, ::-1] + 5.0).trustworthiness == 1.0
    assert projection_quality(samples, rng.normal(size=(400, 2))).trustworthiness == pytest.approx(
        0.5, abs=0.05
    )


def test_what_the_projection_brings_together_counts_not_what_it_tears_apart():
    samples = np.random.default_rng(0).normal(size=(400, 2))
    flat = samples[
        :, :1
    ]  # samples far apart are put side by side; none that are near are torn apart
    assert projection_quality(samples, flat).trustworthiness < 0.8
    assert projection_quality(flat, samples).trustworthiness > 0.9


def test_samples_of_no_known_class_neither_vote_nor_count():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    coordinates = rng.normal(size=(60, 2)) + 20.0 * y[:, None]
    hidden = y.copy()
    hidden[::2] = -1
    assert projection_quality(coordinates, coordinates, hidden).knn_accuracy == 1.0
    hidden[:] = -1
    assert projection_quality(coordinates, coordinates, hidden).knn_accuracy is None
    assert projection_quality(coordinates, coordinates).knn_accuracy is None


def test_too_few_samples_have_no_quality():
    samples = np.random.default_rng(0).normal(size=(10, 2))
    assert projection_quality(samples, samples, np.zeros(10, dtype=np.int64)) is None
