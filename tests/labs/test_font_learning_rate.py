"""Verdict of the lab on learning rates, and the interval of a standard deviation."""

from __future__ import annotations

import numpy as np
import pytest

from cuello.study.summary import spread
from cuello_labs._font import rate_of
from cuello_labs.font_learning_rate import sd_interval, show


def records(errors):
    return [
        {
            "options": {"learning_rate": rate_of(eta)},
            "seed": seed,
            "diverged": False,
            "error": error + 0.01 * seed,
            "wrong_mean": 1.0,
            "wrong_max": 2,
            "epochs": [1.0, 2.0],
            "errors": [1.5, error],
        }
        for eta, error in errors.items()
        for seed in range(4)
    ]


@pytest.mark.parametrize(
    ("best", "rival", "holds", "words"),
    [
        (0.2, 0.4, True, "Eta 0.0005 leaves the smallest"),
        (0.4, 0.2, False, "Eta 0.0005 does not leave the smallest"),
        (0.2, 0.201, None, "cannot be told"),
    ],
)
def test_verdict(best, rival, holds, words):
    findings = show(records({0.05: 1.0, 0.005: rival, 0.0005: best, 0.00005: 0.9}))
    assert findings.holds is holds
    assert words in findings.verdict
    assert "0.00005" in findings.verdict


def test_interval_of_a_standard_deviation_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [sd_interval(spread(rng.normal(0, 2, 10))) for _ in range(2000)]
    covered = np.mean([low <= 2 <= high for low, high in intervals])
    assert abs(covered - 0.95) < 0.02
    assert np.isnan(sd_interval(spread([1.0]))).all()
