import numpy as np
import pytest

from cuello.study.summary import spread
from cuello_labs.losses import (
    LOSSES,
    best_constant,
    clean_samples,
    contaminate,
    growth,
    judge,
    show,
    trials,
)


def grown(mse, mae, mape, sd=0.01):
    own = {"mse": mse, "mae": mae, "mape": mape}
    return {
        ("constant", "digits", "values"): {k: spread([v - sd, v, v + sd]) for k, v in own.items()}
    }


def test_verdict_both_ways():
    holds, text = judge(grown(5.0, 1.1, 1.2))
    assert holds is True
    assert text.startswith("MAE and MAPE are more robust")
    assert "2 of 2 comparisons" in text
    holds, text = judge(grown(2.0, 3.0, 1.0))
    assert holds is False
    assert "are not always" in text
    assert judge(grown(2.0, 2.0, 2.0))[0] is None


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_contamination_has_the_share_it_says(share):
    X, rng = np.ones((200, 50), dtype=np.float32), np.random.default_rng(0)
    values = contaminate(X, "values", share, rng)
    assert np.mean(values == 10) == pytest.approx(share, abs=0.02)
    assert np.mean(values != 1) == np.mean(values == 10)
    rows = contaminate(X, "samples", share, rng)
    assert np.sum((rows != 1).any(axis=1)) == 200 * share
    assert rows.min() >= 1
    assert rows.max() <= 10
    assert (X == 1).all()
    assert contaminate(X, "none", 0.0, rng) is X


def test_clean_samples_are_far_from_zero():
    for name in ("digits", "breast-cancer"):
        train, test = clean_samples(name, 300)
        assert len(train) == 300
        assert train.min() >= 1
        assert train.max() <= 2
        assert test.dtype == np.float32


def test_growth_is_over_the_same_loss_without_outliers():
    records = [
        {
            "options": dict(t.options),
            "seed": t.seed,
            "mae": 0.1,
            "rmse": 0.6 if t.options["share"] else 0.2,
        }
        for t in trials(False)
    ]
    for loss in LOSSES:
        own = growth(records, "mnist", "autoencoder", loss, "values", 0.2)
        assert own.mean == pytest.approx(3.0)
        assert own.count == (3 if loss == "pca" else 6)
    assert show(records).holds is None


@pytest.mark.parametrize("loss", ["mse", "mae", "mape"])
def test_best_constant_has_the_smallest_loss(loss):
    X = np.random.default_rng(0).uniform(1, 9, (41, 1))
    grid = np.linspace(1, 9, 4001)[:, None]
    differences = np.abs(grid - X.T)
    power = differences**2 if loss == "mse" else differences
    means = (power / X.T if loss == "mape" else power).mean(axis=1)
    assert best_constant(X, loss)[0] == pytest.approx(grid[means.argmin(), 0], abs=0.002)
