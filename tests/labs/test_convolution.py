import numpy as np
import pytest

from cuello.study.summary import spread
from cuello_labs._images import checkerboard
from cuello_labs.convolution import METHODS, at_time, judge, network, show, trials


def errors(**means):
    """Three seeds around each mean."""
    return {name: spread([m - 0.001, m, m + 0.001]) for name, m in means.items()}


BOARD = errors(transposed=2.0, upsample=1.0)


def test_verdict_both_ways():
    good = errors(half=0.05, upsample=0.02, transposed=0.02, dense=0.04)
    holds, text = judge(good, good, BOARD)
    assert holds is True
    assert text.startswith("A convolutional encoder needs")
    assert "transposed convolutions is more than" in text
    bad = errors(half=0.01, upsample=0.02, transposed=0.02, dense=0.01)
    holds, text = judge(bad, bad, BOARD)
    assert holds is False
    assert "does not need" in text
    same = errors(half=0.02, upsample=0.02, transposed=0.02, dense=0.02)
    assert judge(same, same, BOARD)[0] is None


def test_checkerboard_of_a_checkerboard_and_of_white_noise():
    pattern = np.indices((8, 6)).sum(axis=0)[None] % 2 - 0.5
    assert checkerboard(pattern) == pytest.approx((8 * 6 - 1) / 3)
    noise = np.random.default_rng(0).normal(size=(4000, 7, 8))
    assert checkerboard(noise) == pytest.approx(1.0, abs=0.1)


def test_lowest_error_within_the_time():
    record = {"seconds": [1.0, 2.0, 3.0], "held_out": [3.0, 1.0, 2.0]}
    assert at_time([record], 1.5) == [3.0]
    assert at_time([record], 3.0) == [1.0]


def test_networks_have_as_many_parameters():
    X = np.random.default_rng(0).random((4, 28, 28), dtype=np.float32)
    sizes = {}
    for trial in trials(False):
        method = trial.options["method"]
        if trial.seed == 0 and method != "pca":
            model = network((28, 28), trial)
            model.set_params(batch_size=4, validation_fraction=0.0).initialize(X)
            sizes[method] = sum(p.numel() for p in model.module_.parameters())
    assert sizes.keys() == METHODS.keys() - {"pca"}
    assert max(sizes.values()) < 1.02 * min(sizes.values())


def test_diverged_trials_are_shown():
    done = {"parameters": 9, "seconds": [1.0], "held_out": [0.1], "error": 0.1, "checkerboard": 1.0}
    records = [
        {"options": dict(t.options), "seed": t.seed, **(done if t.seed else {"diverged": True})}
        for t in trials(True)
    ]
    assert show(records).holds is None
