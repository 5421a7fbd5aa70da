"""The probability that a normal sample scores as high: its definition and known laws."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cuello.anomalies import ScoreTail

finite = st.floats(-50, 50, width=32)


@given(arrays(np.float64, st.integers(1, 60), elements=finite), finite, finite)
def test_a_higher_score_is_never_less_anomalous(scores, one, other):
    low, high = ScoreTail.of(scores).anomaly_scores(np.array(sorted([one, other])))
    assert 0.0 <= low <= high
    assert np.isfinite(high)


@given(arrays(np.float64, st.integers(1, 60), elements=finite, unique=True))
def test_normal_samples_are_counted_as_conformal_prediction_does(scores):
    ordered = np.sort(scores)
    counted = np.arange(len(ordered), 0, -1) + 1.0
    part = ordered[: int(0.9 * len(ordered))]
    expected = -np.log10(np.minimum(counted / (len(ordered) + 1), 1.0))
    np.testing.assert_allclose(ScoreTail.of(scores).anomaly_scores(part), expected[: len(part)])


@settings(max_examples=10, deadline=None)
@given(st.floats(0.2, 5.0), st.integers(0, 1000))
def test_what_lies_beyond_all_held_out_samples_follows_an_exponential(scale, seed):
    scores = np.random.default_rng(seed).exponential(scale, 20_000)
    far = np.array([3.0, 5.0, 7.0]) * scale * np.log(10.0)
    # Among 20,000 samples at most one in 20,000 is seen: the last two are none of them.
    np.testing.assert_allclose(ScoreTail.of(scores).anomaly_scores(far), [3.0, 5.0, 7.0], rtol=0.12)


def test_there_are_no_jumps_where_counting_ends():
    scores = np.random.default_rng(0).normal(size=500)
    points = np.linspace(-3, 6, 2000)
    found = ScoreTail.of(scores).anomaly_scores(points)
    assert np.diff(found).max() < 0.05


def test_one_sample_that_is_held_out_tells_little():
    assert ScoreTail.of(np.array([1.0])).anomaly_scores(np.array([0.0, 1.0, 2.0])).tolist() == [
        0.0,
        0.0,
        np.log10(np.e),
    ]


def test_many_scores_are_kept_as_quantiles():
    scores = np.random.default_rng(0).normal(size=200_000)
    whole = np.sort(scores)
    tail = ScoreTail.of(scores)
    assert len(tail.scores) == 10_000
    at = np.array([-1.0, 0.0, 1.0])
    exact = -np.log10((len(whole) - np.searchsorted(whole, at) + 1) / (len(whole) + 1))
    np.testing.assert_allclose(tail.anomaly_scores(at), exact, atol=1e-3)
