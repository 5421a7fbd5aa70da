import numpy as np
import pytest

from cuello_labs._curves import split_samples
from cuello_labs.normalisation import LAB, SCALINGS, show, unexplained


def records(normalised, raw):
    """Two optimizers at one rate after 1 and 2 epochs, three seeds."""
    return [
        {
            "options": {
                "set": "wine",
                "optimizer": optimizer,
                "scaling": scaling,
                "epochs": epochs,
                "learning_rate": 0.1,
            },
            "seed": seed,
            "train_end": end,
            "held_out_end": end,
            "held_out_pca": 0.4,
            "diverged": end is None,
        }
        for optimizer in ("adam", "sgd")
        for scaling in SCALINGS
        for epochs in (1, 2)
        for seed in range(3)
        for mean in [raw if scaling == "none" else normalised]
        for end in [None if mean is None else mean + 0.01 * seed + 1 / epochs]
    ]


@pytest.mark.parametrize(
    ("normalised", "raw", "holds", "said"),
    [
        (0.3, 0.9, True, "better than with raw columns in 2 of 2 settings and clearly worse in 0"),
        (0.9, 0.3, False, "in 0 of 2 settings and clearly worse in 2"),
        (0.5, 0.5, None, "in 0 of 2 settings and clearly worse in 0"),
        (0.5, None, True, "in 2 of 2"),
    ],
)
def test_verdict_follows_the_records(normalised, raw, holds, said):
    findings = show(records(normalised, raw))
    assert findings.holds is holds
    assert said in findings.verdict


def test_unexplained_share_is_one_minus_the_explained_variance():
    rows = np.random.default_rng(0).normal(size=(500, 3))
    rows = (rows - rows.mean(0)) / rows.std(0)
    kept = rows.copy()
    kept[:, 2] = 0.0
    assert unexplained(rows, kept) == pytest.approx(1 / 3)


def test_the_tables_come_as_they_were_measured():
    rows, held_out = split_samples("diabetes", 294, 148)
    assert len(rows) + len(held_out) == 442
    assert rows.std(0).max() / rows.std(0).min() > 10


def test_trials_are_all_different():
    for quick in (True, False):
        made = LAB.trials(quick)
        assert len(set(made)) == len(made)
