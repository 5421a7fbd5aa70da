"""What the lab on flipped pixels measures, its baselines, and its verdict."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cuello.study.summary import spread
from cuello_labs._flips import BASELINES, NETWORKS, expected, flip, restored
from cuello_labs._font import characters, pixel_errors
from cuello_labs.font_denoising import RATES, trials, verdict


def test_flips_come_at_their_rate():
    rows = np.ones((400, 35), dtype=np.float32)
    flipped = flip(rows, 0.2, np.random.default_rng(0))
    assert set(np.unique(flipped)) == {-1.0, 1.0}
    assert abs(np.mean(flipped < 0) - 0.2) < 0.01


def test_expected_pixels_are_bayes_rule():
    rows, _ = characters()
    x = flip(rows[:3], 0.1, np.random.default_rng(0))
    for one, found in zip(x, expected(x, 0.1), strict=True):
        likelihood = [np.prod(np.where(one == row, 0.9, 0.1)) for row in rows]
        by_hand = np.average(rows, axis=0, weights=likelihood)
        assert np.allclose(found, by_hand, atol=1e-6)


def test_noisy_input_keeps_its_flips_and_clean_output_has_none():
    rows, _ = characters()
    same = restored(BASELINES["noisy input"], 1)
    assert np.allclose(same["wrong"], 35 * np.array([0.05, 0.1, 0.2, 0.3, 0.4]), rtol=0.1)
    clean = np.repeat(rows, 20, axis=0)
    perfect = restored(lambda x, rate: clean, 1)
    assert perfect["wrong"] == [0.0] * 5
    assert perfect["right"] == [1.0] * 5


def test_the_best_possible_has_the_fewest_wrong_pixels():
    rows, _ = characters()
    x = flip(np.repeat(rows, 30, axis=0), 0.3, np.random.default_rng(0))
    clean = np.repeat(rows, 30, axis=0)
    wrong = {k: pixel_errors(clean, restore(x, 0.3)).mean() for k, restore in BASELINES.items()}
    assert min(wrong, key=wrong.__getitem__) == "Bayes-optimal, true flip rate"


@pytest.mark.parametrize(
    ("means", "holds", "words"),
    [
        ((0.3, 0.5, 0.7), True, "ranking holds"),
        ((0.7, 0.5, 0.3), False, "does not hold, for b has a smaller error than a"),
        ((0.5, 0.501, 0.7), None, "within the noise"),
    ],
)
def test_verdict(means, holds, words):
    errors = {
        name: dict.fromkeys(RATES, spread([mean, mean + 0.02]))
        for name, mean in zip("abc", means, strict=True)
    }
    found, text = verdict(errors)
    assert found is holds
    assert words in text


def test_no_two_trials_are_the_same():
    for quick in (False, True):
        keys = [trial.key for trial in trials(quick)]
        assert len(set(keys)) == len(keys)
    for a, b in itertools.combinations(NETWORKS.values(), 2):
        assert a != b
