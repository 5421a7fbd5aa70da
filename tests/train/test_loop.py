"""The training loop: oracles, early stopping, divergence, interruption."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from cuello import Autoencoder, DivergedError, InputError, RunError
from cuello.train import SCHEDULES, Rows, Training, Watcher, train
from cuello.train.placement import place
from cuello.train.rows import batch_bounds


def low_rank(n=400, features=10, rank=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, features))
    return (X + 0.1 * rng.normal(size=X.shape)).astype(np.float32)


def test_linear_autoencoder_reaches_the_discarded_eigenvalues():
    """Baldi and Hornik 1989: the optimum's error is the sum of the eigenvalues left out."""
    X = low_rank()
    X -= X.mean(axis=0)
    model = Autoencoder(
        kind="plain",
        hidden=(),
        latent_dim=3,
        scaling="none",
        validation_fraction=0.0,
        epochs=2000,
        batch_size=400,
        learning_rate=0.1,
        loss="mse",
        output_activation="identity",
        precision="float32",
    ).fit(X)
    eigenvalues = np.linalg.eigvalsh(np.cov(X.T, bias=True))[::-1]
    assert -model.score(X) * 10 == pytest.approx(eigenvalues[3:].sum(), rel=1e-3)


@given(rows=st.integers(1, 300), batch=st.integers(1, 100))
def test_batches_cover_every_row_once_and_none_is_left_alone(rows, batch):
    bounds = batch_bounds(rows, batch)
    assert [i for a, b in bounds for i in range(a, b)] == list(range(rows))
    assert all(b - a <= batch + 1 for a, b in bounds)
    if rows > 1 and batch > 1:
        assert all(b - a > 1 for a, b in bounds)


@given(name=st.sampled_from(sorted(SCHEDULES)), warm_up=st.sampled_from([0.0, 0.1, 0.5, 0.9]))
def test_schedules_start_at_the_full_rate_and_never_rise(name, warm_up):
    how = Training(schedule=name, warm_up=warm_up)
    factors = [how.rate_factor(warm_up + (1 - warm_up) * t / 50) for t in range(50)]
    assert factors[0] == pytest.approx(1.0)
    assert all(0.0 <= b <= a + 1e-12 for a, b in itertools.pairwise(factors))
    assert how.rate_factor(warm_up / 2) == pytest.approx(0.5 if warm_up else 1.0)


def test_cosine_schedule_against_torch():
    how = Training(schedule="cosine")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    for step in range(40):
        assert how.rate_factor(step / 40) == pytest.approx(reference.get_last_lr()[0], abs=1e-7)
        optimizer.step()
        reference.step()


@pytest.mark.parametrize(
    ("option", "value", "way_out"),
    [
        ("learning_rate", 0.0, "0.001 is a good start"),
        ("learning_rate", math.nan, "above 0"),
        ("momentum", 1.0, "0.9 is usual"),
        ("weight_decay", -1.0, "at least 0"),
        ("epochs", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("patience", 0, "None to train to the end"),
        ("gradient_clip", 0.0, "None for no clipping"),
        ("warm_up", 1.0, "a share of all steps"),
        ("optimizer", "adm", "did you mean 'adam'"),
        ("schedule", "cosin", "did you mean 'cosine'"),
        ("precision", "fp16", "bf16"),
    ],
)
def test_wrong_settings_are_refused(option, value, way_out):
    with pytest.raises(InputError, match=option) as error:
        Training(**{option: value})
    assert way_out in str(error.value)


def test_unknown_device_is_refused():
    with pytest.raises(InputError, match="device='tpu9'"):
        place("tpu9", "auto", 8, torch.nn.Linear(1, 1))


def test_early_stopping_keeps_the_best_weights():
    X = low_rank(60)
    model = Autoencoder(
        kind="plain", hidden=(64,), latent_dim=9, epochs=2000, patience=5, learning_rate=0.02
    ).fit(X)
    losses = [epoch.loss for epoch in model.history_]
    assert len(losses) < 2000
    assert len(losses) - 1 - int(np.argmin(losses)) == 5
    order = np.random.default_rng(np.random.RandomState(0).randint(2**31 - 1)).permutation(60)
    assert -model.score(X[order[:6]]) == pytest.approx(min(losses), rel=1e-4)


class InTurn(torch.nn.Module):
    """Two weights, moved towards 1 one after the other; rows judge the second."""

    progress = 0.0

    def __init__(self):
        super().__init__()
        self.first, self.second = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
        self.asked = []

    def players(self):
        return {name: [{"params": [getattr(self, name)]}] for name in ("first", "second")}

    def active(self, progress):
        self.asked.append(progress)
        return ["second"] if progress >= 0.6 else ["first"]

    def losses(self, batch, player):
        far = 0.001 if player == "first" else 1.0  # the first one's loss is always less
        return {player: far * (getattr(self, player) - 1.0).square().sum()}

    def held_out_losses(self, batch):
        return self.losses(batch, "second")


@pytest.mark.parametrize("held_out", [None, Rows(torch.zeros(4, 2))])
@pytest.mark.parametrize(("epochs", "turns"), [(1, 0), (2, 1), (10, 6)])
def test_players_move_in_turn_and_the_last_epoch_is_of_those_that_are_judged(
    held_out, epochs, turns
):
    """Early stopping neither counts epochs in which others move, nor compares with them."""
    model, how = InTurn(), Training(epochs=epochs, batch_size=4, patience=2, learning_rate=0.01)
    history = train(model, Rows(torch.zeros(4, 2)), how, validation=held_out)
    assert [list(epoch.train) for epoch in history] == turns * [["first"]] + (epochs - turns) * [
        ["second"]
    ]
    assert set(model.asked) - {1.0} == {epoch / epochs for epoch in range(epochs - 1)}
    assert (model.first > 0) == (turns > 0)
    assert model.second > 0


def test_divergence_before_the_judged_ones_move_keeps_the_last_good_weights():
    model, kept = InTurn(), []

    def sabotage(epoch):
        kept.append(model.first.item())
        if epoch.epoch == 2:
            model.first.data.fill_(math.nan)

    how = Training(epochs=10, batch_size=4, learning_rate=0.01)
    with pytest.raises(DivergedError):
        train(model, Rows(torch.zeros(4, 2)), how, watcher=Watcher(epoch=sabotage))
    assert model.first.item() == kept[2] > kept[1]


def test_gradient_clip_bounds_the_first_update():
    X = 100.0 * low_rank(64)
    options = {
        "kind": "plain",
        "hidden": (),
        "latent_dim": 2,
        "optimizer": "sgd",
        "momentum": 0.0,
        "learning_rate": 1.0,
        "schedule": "constant",
        "scaling": "none",
        "epochs": 1,
        "batch_size": 64,
        "validation_fraction": 0.0,
    }
    before = Autoencoder(**options).initialize(X).module_
    after = Autoencoder(**options, gradient_clip=0.5).fit(X).module_
    with torch.no_grad():
        moved = [a - b for a, b in zip(after.parameters(), before.parameters(), strict=True)]
        length = float(torch.cat([m.flatten() for m in moved]).norm())
    assert length == pytest.approx(0.5, rel=1e-3)


def test_divergence_names_step_and_cause_and_keeps_the_last_good_weights():
    X = low_rank()
    options = {"kind": "plain", "hidden": (16,), "latent_dim": 3, "optimizer": "sgd", "epochs": 50}
    model = Autoencoder(**options, learning_rate=1e6)
    with pytest.raises(DivergedError) as error:
        model.fit(X)
    text = str(error.value)
    assert "'reconstruction' became" in text
    assert "at step " in text
    assert "learning_rate=1e+06" in text
    assert "learning_rate=100000" in text
    assert np.isfinite(model.reconstruct(X)).all()


def test_divergence_in_a_later_epoch_restores_the_best_epoch():
    X = low_rank()
    seen = []

    def sabotage(epoch):
        seen.append({k: v.clone() for k, v in model.module_.state_dict().items()})
        if epoch.epoch == 2:
            with torch.no_grad():
                next(model.module_.parameters()).fill_(torch.nan)

    model = Autoencoder(kind="plain", hidden=(8,), latent_dim=3, epochs=9)
    with pytest.raises(DivergedError, match="at step 9\\."):
        model.fit(X, watcher=Watcher(epoch=sabotage))
    kept = model.module_.state_dict()
    assert all(torch.equal(kept[k], seen[2][k]) for k in kept)


def test_first_loss_not_finite_is_told_apart():
    X = low_rank()
    model = Autoencoder(kind="plain", latent_dim=3, hidden=(8,), epochs=2)
    model.initialize(X)

    class Broken(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(1))

        def losses(self, batch, player):
            return {"broken": self.w.sum() / 0.0}

        def players(self):
            return {"only": [{"params": [self.w]}]}

        def active(self, progress):
            return ["only"]

    with pytest.raises(DivergedError, match="the first loss of all"):
        train(Broken(), Rows(torch.zeros(4, 2)), Training(epochs=1, batch_size=2))


def test_damaged_checkpoint_is_refused(tmp_path):
    file = tmp_path / "checkpoint"
    options = {"kind": "plain", "hidden": (8,), "latent_dim": 2}
    Autoencoder(**options, epochs=2).fit(low_rank(), checkpoint=file)
    whole = file.read_bytes()
    for damaged in (whole[:-100], whole[:20], b"", b"\0" * 64):
        file.write_bytes(damaged)
        with pytest.raises(RunError, match="cannot be continued from"):
            Autoencoder(**options, epochs=4).fit(low_rank(), checkpoint=file)
    file.write_bytes(whole)
    with pytest.raises(RunError, match="cannot be continued from"):
        Autoencoder(kind="plain", hidden=(9,), latent_dim=2).fit(low_rank(), checkpoint=file)


CHILD = """
import sys, json, numpy as np, torch
torch.set_num_threads(1)
from pathlib import Path
from safetensors.torch import save_file
from cuello import Autoencoder
from cuello.train import Watcher
import cuello.train.loop as loop
folder, slow = Path(sys.argv[1]), sys.argv[2] == "slow"
X = np.random.default_rng(0).random((4000, 64), dtype=np.float32)

def step(done, total):
    if slow:
        (folder / "progress").write_text(str(done))

loop._SYNC_EVERY = 5
model = Autoencoder(hidden=(128, 64), latent_dim=8, epochs=12, batch_norm=True, dropout=0.1)
loop_train = loop.train
import cuello.estimators.autoencoder as face
face.train = lambda *a, **k: loop_train(*a, **k, checkpoint_seconds=0.0)
model.fit(X, checkpoint=folder / "checkpoint", watcher=Watcher(step=step))
save_file(model.module_.state_dict(), folder / "weights")
(folder / "epochs").write_text(json.dumps([e.epoch for e in model.history_]))
"""


@pytest.mark.slow
def test_sigkill_in_the_middle_of_an_epoch_then_resume_equals_uninterrupted(tmp_path):
    def run(folder, speed):
        return subprocess.Popen([sys.executable, "-c", CHILD, str(folder), speed])

    whole, halted = tmp_path / "whole", tmp_path / "halted"
    whole.mkdir()
    halted.mkdir()
    assert run(whole, "fast").wait(120) == 0
    steps_an_epoch = len(batch_bounds(3600, 128))
    child = run(halted, "slow")
    progress = halted / "progress"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        text = progress.read_text() if progress.exists() else ""
        # a few steps into the fifth epoch or a later one: in the middle, not between two
        if text and int(text) > 4 * steps_an_epoch and 5 <= int(text) % steps_an_epoch <= 15:
            break
        assert child.poll() is None, "finished before it could be killed"
    os.kill(child.pid, signal.SIGKILL)
    child.wait(30)
    assert (halted / "checkpoint").exists()
    assert not (halted / "weights").exists()
    assert run(halted, "fast").wait(120) == 0
    assert json.loads((halted / "epochs").read_text()) == list(range(12))
    a, b = load_file(whole / "weights"), load_file(halted / "weights")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
