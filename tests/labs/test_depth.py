import numpy as np
import pytest

from cuello.study.summary import spread
from cuello_labs.depth import judge, reproduced, show, shuffle_pixels, trials


def cells(error, copied, few):
    """Three seeds around each figure."""
    named = {"test_error": error, "copied": copied, "few": few}
    return {name: spread([m - 0.001, m, m + 0.001]) for name, m in named.items()}


SMALL = {(0, 8): cells(0.05, 0.0, 0.7), (2, 8): cells(0.02, 0.0, 0.8)}
PIXELS = spread([0.849, 0.85, 0.851])


def test_verdict_both_ways():
    holds, text = judge({**SMALL, (0, 512): cells(0.0, 0.9, 0.7)}, PIXELS)
    assert holds is True
    assert "only copies" in text
    holds, text = judge({**SMALL, (0, 512): cells(0.0, 0.9, 0.9)}, PIXELS)
    assert holds is False
    assert "does not only copy" in text
    worse = {(0, 8): SMALL[2, 8], (2, 8): SMALL[0, 8], (0, 512): cells(0.0, 0.9, 0.7)}
    holds, text = judge(worse, PIXELS)
    assert holds is False
    assert text.startswith("More layers do not clearly help")


def test_noise_decides_nothing():
    noisy = {**SMALL[0, 8], "test_error": spread([0.0, 0.05, 0.1])}
    assert judge({(0, 8): noisy, (2, 8): noisy, (0, 512): SMALL[0, 8]}, PIXELS)[0] is None


def test_reproduced_is_one_for_a_copy_and_zero_for_the_mean():
    X = np.random.default_rng(0).random((20, 3, 4))
    assert reproduced(X, X) == 1.0
    assert reproduced(X, np.broadcast_to(X.mean(axis=0), X.shape)) == pytest.approx(0.0)


def test_shuffling_keeps_the_values_of_each_image():
    X = np.arange(24.0).reshape(2, 3, 4)
    shuffled = shuffle_pixels(X)
    assert shuffled.shape == X.shape
    assert not np.array_equal(shuffled, X)
    for own, there in zip(X, shuffled, strict=True):
        assert sorted(own.ravel()) == sorted(there.ravel())


def test_records_of_failed_trials_are_shown():
    measures = {"train_error": 0.1, "test_error": 0.1, "copied": 0.1, "few": 0.5, "knn": 0.5}
    records = [
        {"options": dict(t.options), "seed": t.seed, **(measures if t.seed else {})}
        for t in trials(True)
    ]
    assert show(records).holds is None
