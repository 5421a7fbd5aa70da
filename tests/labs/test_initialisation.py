import pytest

from cuello_labs._curves import decide
from cuello_labs.initialisation import EXPECTED, INITIALIZERS, LAB, show


def records(fitting, without):
    """Two settings at one rate, three seeds; the loss is the same in every epoch."""
    return [
        {
            "options": {
                "activation": activation,
                "hidden": [4] * depth,
                "initializer": name,
                "learning_rate": 0.1,
            },
            "seed": seed,
            "train": [loss, loss],
            "held_out": [loss, loss],
            "train_end": loss,
            "held_out_end": loss,
            "diverged": False,
        }
        for activation in EXPECTED
        for depth in (1, 2)
        for name in INITIALIZERS
        for seed in range(3)
        for loss in [(without if name == "uniform" else fitting) + 0.01 * seed]
    ]


@pytest.mark.parametrize(
    ("fitting", "without", "holds", "said"),
    [(1.0, 2.0, True, "in 4 of 4"), (2.0, 1.0, False, "in 0 of 4"), (1.0, 1.0, None, "in 0 of 4")],
)
def test_verdict_follows_the_records(fitting, without, holds, said):
    findings = show(records(fitting, without))
    assert findings.holds is holds
    assert said in findings.verdict


def test_one_contradiction_leaves_it_open():
    assert decide([True, True, False]) is None
    assert decide([]) is None


def test_trials_are_all_different():
    for quick in (True, False):
        made = LAB.trials(quick)
        assert len(set(made)) == len(made)
