"""What is answered is right as often as guaranteed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.errors import InputError
from cuello.metrics import ABSTAINED, decide, find_threshold, lower_bound


def samples(n, seed, accuracy):
    """Two classes; ``accuracy`` gives the chance of being right from the confidence."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1.0, n)
    p = np.stack([confidence, 1 - confidence], axis=1)
    return p, (rng.random(n) > accuracy(confidence)).astype(int)


wanteds = st.floats(0.3, 0.99)
cases = st.builds(
    samples, st.integers(0, 300), st.integers(0, 10_000), st.sampled_from([lambda c: c, np.sqrt])
)


@settings(max_examples=50)
@given(case=cases, wanted=wanteds, level=st.floats(0.6, 0.99))
def test_threshold_does_what_it_says_on_the_held_out_samples(case, wanted, level):
    p, y = case
    found = find_threshold(p, y, wanted, level=level)
    classes = decide(p, found.probability)
    answered = classes != ABSTAINED
    assert found.coverage == (answered.mean() if len(p) else 0.0)
    if not answered.any():
        assert found.probability == np.inf
        assert not found.guaranteed
        assert np.isnan([found.precision, found.low]).all()
        return
    assert found.precision == (classes == y)[answered].mean() >= wanted
    assert found.guaranteed == (found.low >= wanted)
    one_look = lower_bound(int((classes == y)[answered].sum()), int(answered.sum()), level=level)
    assert found.low <= one_look + 1e-12


@settings(max_examples=50)
@given(case=cases, wanted=wanteds)
def test_a_stricter_guarantee_answers_no_more(case, wanted):
    loose, strict = (find_threshold(*case, wanted, level=level) for level in (0.8, 0.99))
    if strict.guaranteed:
        assert loose.guaranteed
        assert loose.coverage >= strict.coverage


@pytest.mark.parametrize("wanted", [0.7, 0.9])
@pytest.mark.parametrize("n", [30, 100, 300])
@pytest.mark.parametrize("shape", ["flat", "rising"])
def test_guarantee_is_broken_as_rarely_as_it_says(wanted, n, shape):
    # The worst there can be: the accuracy of every share just misses what is wanted ...
    def flat(confidence):
        return np.full_like(confidence, wanted - 1e-9)

    # ... or that of the looser ones only.
    def rising(confidence):
        return np.clip(wanted + 0.3 * (confidence - 0.8), 0, 1)

    accuracy = {"flat": flat, "rising": rising}[shape]
    grid = np.linspace(0.5, 1.0, 2001)
    broken = 0
    for seed in range(1000):
        found = find_threshold(*samples(n, seed, accuracy), wanted)
        true = accuracy(grid[grid >= found.probability])
        broken += bool(found.guaranteed and true.mean() < wanted)
    assert broken / 1000 <= 0.05 + 0.015  # two standard errors


def test_few_labels_guarantee_nothing():
    p = np.array([[0.9, 0.1]] * 10)
    right = find_threshold(p, [0] * 10, 0.95)
    assert right[:3] == (0.9, 1.0, 1.0)
    assert right.low < 0.95
    assert not right.guaranteed
    assert find_threshold(p, [1] * 10, 0.95).coverage == 0.0
    assert find_threshold(p[:0], np.empty(0, int), 0.95).coverage == 0.0
    assert find_threshold(np.repeat(p, 10, axis=0), [0] * 100, 0.95).guaranteed


def test_only_the_most_confident_samples_are_answered_where_the_others_are_guesses():
    p, y = samples(3000, 0, lambda c: np.where(c > 0.8, 0.99, 0.6))
    found = find_threshold(p, y, 0.95)
    assert found.guaranteed
    assert 0.79 < found.probability < 0.82
    assert found.coverage == pytest.approx(0.4, abs=0.001)


def test_samples_as_confident_as_each_other_are_answered_together():
    p = np.array([[0.9, 0.1]] * 70 + [[0.8, 0.2]] * 30)
    found = find_threshold(p, [0] * 70 + [1] * 30, 0.9)
    assert found[:3] == (0.9, 0.7, 1.0)


@given(case=cases, threshold=st.floats(0.0, 1.1))
def test_decision(case, threshold):
    p, _ = case
    classes = decide(p, threshold)
    assert classes.dtype == np.int64
    for row, answer in zip(p, classes, strict=True):
        assert answer == (row.argmax() if row.max() >= threshold else ABSTAINED)


@pytest.mark.parametrize("value", [0.0, 1.0, 95.0, float("nan")])
def test_values_outside_their_range(value):
    p = np.array([[0.9, 0.1]])
    with pytest.raises(InputError, match="min_precision="):
        find_threshold(p, [0], value)
    with pytest.raises(InputError, match="level="):
        find_threshold(p, [0], 0.9, level=value)


def test_what_is_no_probability():
    with pytest.raises(InputError, match="sum to 1"):
        decide(np.array([[2.0, 1.0]]), 0.5)
    with pytest.raises(InputError, match=r"threshold=-0\.5"):
        decide(np.array([[0.5, 0.5]]), -0.5)
    with pytest.raises(InputError, match="threshold=nan"):
        decide(np.array([[0.5, 0.5]]), float("nan"))
    with pytest.raises(InputError, match="without a label"):
        find_threshold(np.array([[0.5, 0.5]]), [-1], 0.5)
