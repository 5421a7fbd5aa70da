"""The learning rate that follows the training loss."""

from __future__ import annotations

import numpy as np
import pytest

from cuello.train.config import adapted_rate

FALLING = [9, 8, 7, 6, 5, 4]


@pytest.mark.parametrize(
    ("losses", "after"),
    [
        (FALLING[:5], 0.5),
        (FALLING, 0.55),
        ([*FALLING, 3], 0.55),
        ([*FALLING, 4], 0.5),
        (FALLING[::-1], 0.475),
        ([1, 2, 1, 2, 1, 2], 0.5),
        ([], 0.5),
    ],
)
def test_rate_after_runs(losses, after):
    assert float(adapted_rate(0.5, 0.5, losses)) == pytest.approx(after)


def test_many_networks_are_each_alone():
    losses = np.array([FALLING, FALLING[::-1], [1] * 6]).T
    rates = adapted_rate([0.5, 0.5, 0.5], [0.5, 0.5, 0.1], losses)
    assert rates == pytest.approx([0.55, 0.475, 0.5])


def test_every_further_fall_adds_again():
    rate, losses = 1.0, [10.0]
    for epoch in range(9):
        losses.append(9.0 - epoch)
        rate = float(adapted_rate(rate, 1.0, losses))
    assert rate == pytest.approx(1.5)
