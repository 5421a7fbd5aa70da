import numpy as np
import pytest
import torch

from cuello.estimators import Autoencoder
from cuello_labs._activations import activation_statistics, undo
from cuello_labs.batch_norm import ACTIVATIONS, INITIALIZERS, LAB, show


def records(with_it, without, restored=1e-14):
    """Every setting, three seeds; the share of silent units after training."""
    trained = [
        {
            "options": {"activation": a, "initializer": i, "batch_norm": norm},
            "seed": seed,
            "diverged": False,
            "sd": [[1.0, 0.5], [1.0, 0.5]],
            "silent": [0.5, share],
            "silent_end": share,
            "train": [2.0],
            "held_out_end": 2.0,
        }
        for a in ACTIVATIONS
        for i in INITIALIZERS
        for norm in (False, True)
        for seed in range(3)
        for share in [(with_it if norm else without) + 0.001 * seed]
    ]
    undone = [
        {"options": {"undo": name}, "seed": 0, "restored": value}
        for name, value in (("sd", 0.1), ("sd with epsilon", restored))
    ]
    return trained + undone


@pytest.mark.parametrize(
    ("made", "holds", "said"),
    [
        (records(0.0, 0.5), True, "in 4 of 4 settings"),
        (records(0.5, 0.1), False, "in 0 of 4 settings"),
        (records(0.0, 0.0), None, "In no setting"),
        (records(0.0, 0.5, restored=0.5), False, "within 5.0e-01 once"),
    ],
)
def test_verdict_follows_the_records(made, holds, said):
    findings = show(made)
    assert findings.holds is holds
    assert said in findings.verdict


@pytest.mark.parametrize("norm", [False, True])
def test_statistics_are_those_of_each_layer(norm):
    rows = np.random.default_rng(0).random((50, 6)).astype(np.float32)
    options = {"hidden": (5,), "latent_dim": 2, "batch_norm": norm, "linear_skip": False}
    model = Autoencoder("plain", **options).initialize(rows)
    linear = model.module_.encoder[0][1]
    with torch.no_grad():
        linear.weight[0] = 0.0  # a unit that says the same of every row
        before = linear(torch.from_numpy(rows)).numpy()
    sd, silent = activation_statistics(model.module_, "relu", rows)
    assert sd.shape == silent.shape == (2,)
    if norm:
        assert sd[0] == pytest.approx(0.8, abs=0.01)
    else:
        assert sd[0] == pytest.approx(before.std(0).mean(), rel=1e-4)
    assert silent[0] >= 0.2
    if norm:  # looking changes nothing
        assert model.module_.encoder[0][2].num_batches_tracked == 0


def test_scale_and_shift_undo_it_but_for_epsilon():
    assert undo("sd with epsilon", 0) < 1e-10
    assert 0.01 < undo("sd", 0) < 1.0


def test_trials_are_all_different():
    for quick in (True, False):
        made = LAB.trials(quick)
        assert len(set(made)) == len(made)
