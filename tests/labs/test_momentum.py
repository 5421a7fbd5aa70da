import math

import numpy as np
import pytest

from cuello_labs._curves import best_rates, curve, rounded, split_samples
from cuello_labs.momentum import LAB, same_rate, show


def records(with_momentum, without):
    """Two rates, three seeds; at the second rate both are worse, and one training diverges."""
    made = []
    for momentum, loss in ((0.0, without), (0.9, with_momentum)):
        for rate in (0.01, 0.1):
            for seed in range(3):
                end = None if rate == 0.1 and seed == 0 else loss + 0.01 * seed + 10 * (rate - 0.01)
                made.append(
                    {
                        "options": {"momentum": momentum, "learning_rate": rate},
                        "seed": seed,
                        "train_end": end,
                        "held_out_end": end,
                        "held_out": [9.0] if end is None else [9.0, end],
                        "diverged": end is None,
                    }
                )
    return made


@pytest.mark.parametrize(
    ("with_momentum", "without", "holds", "said"),
    [
        (1.0, 2.0, True, "momentum 0.9 helps"),
        (2.0, 1.0, False, "does not help"),
        (1.0, 1.0, None, "makes no difference"),
    ],
)
def test_verdict_follows_the_records(with_momentum, without, holds, said):
    findings = show(records(with_momentum, without))
    assert findings.holds is holds
    assert said in findings.verdict


def test_one_rate_for_both():
    low, high = same_rate(records(1.0, 2.0))[0.01][::-1]
    assert low.mean == pytest.approx(1.01)
    assert high.mean == pytest.approx(2.01)


def test_a_rate_that_diverges_is_not_the_best():
    made = records(1.0, 2.0)
    for record in made:
        if record["options"]["learning_rate"] == 0.1 and record["train_end"] is not None:
            record["train_end"] = 0.0
    assert best_rates(made, "momentum")[(0.9,)][0] == 0.01


def test_short_curves_are_filled_up():
    runs = curve([{"a": [1.0, 2.0]}, {"a": [3.0]}], "a").runs
    np.testing.assert_array_equal(runs, [[1.0, 2.0], [3.0, math.nan]])


def test_training_and_held_out_rows_do_not_meet():
    rows, held_out = split_samples("digits", 1500, 297)
    assert rows.shape == (1500, 64)
    assert held_out.shape == (297, 64)
    assert rows.max() <= 1.0
    # Hardly any digit is there twice.
    same = (rows[:, None] == held_out[None]).all(-1).any(0)
    assert same.mean() < 0.01


def test_numbers_are_rounded_to_significant_digits():
    assert rounded([1234567.0, math.inf], 3) == [1230000.0, None]


def test_trials_are_all_different():
    for quick in (True, False):
        made = LAB.trials(quick)
        assert len(set(made)) == len(made)
