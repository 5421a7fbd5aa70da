"""The training loop: oracles, early stopping, divergence, interruption."""

from __future__ import annotations

import inspect
import itertools
import json
import math
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from cuello import Autoencoder, DivergedError, InputError, RunError
from cuello.kinds import Batch
from cuello.train import SCHEDULES, Callback, Rows, TrainingConfig, train
from cuello.train.placement import choose_placement
from cuello.train.rows import batch_bounds
from cuello.train.state import Checkpointer, State, divergence_error


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


PLANNED = sorted(SCHEDULES.keys() - {"adaptive"})  # this one follows the losses instead


@given(rows=st.integers(1, 300), batch=st.integers(1, 100))
def test_batches_cover_every_row_once_and_none_is_left_alone(rows, batch):
    bounds = batch_bounds(rows, batch)
    assert [i for a, b in bounds for i in range(a, b)] == list(range(rows))
    assert all(b - a == batch for a, b in bounds[:-1])
    assert bounds[-1][1] - bounds[-1][0] <= (batch + 1 if batch > 1 else 1)
    if rows > 1 and batch > 1:
        assert all(b - a > 1 for a, b in bounds)


@given(name=st.sampled_from(PLANNED), warm_up=st.sampled_from([0.0, 0.1, 0.5, 0.9]))
def test_schedules_start_at_the_full_rate_and_never_rise(name, warm_up):
    config = TrainingConfig(schedule=name, warm_up=warm_up)
    factors = [config.rate_factor(warm_up + (1 - warm_up) * t / 50) for t in range(50)]
    assert factors[0] == pytest.approx(1.0)
    assert all(0.0 <= b <= a + 1e-12 for a, b in itertools.pairwise(factors))
    assert config.rate_factor(warm_up / 2) == pytest.approx(0.5 if warm_up else 1.0)


def test_cosine_schedule_against_torch():
    config = TrainingConfig(schedule="cosine")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    for step in range(40):
        assert config.rate_factor(step / 40) == pytest.approx(reference.get_last_lr()[0], abs=1e-7)
        optimizer.step()
        reference.step()


@given(warm_up=st.sampled_from([0.0, 0.2]), progress=st.floats(0.0, 0.999))
def test_schedules_are_their_formulas(warm_up, progress):
    after = warm_up + (1.0 - warm_up) * progress
    linear, step = (
        TrainingConfig(schedule=s, warm_up=warm_up).rate_factor for s in ("linear", "step")
    )
    assert linear(after) == pytest.approx(1.0 - progress)
    if min(abs(3 * progress - third) for third in (0, 1, 2)) > 1e-9:
        assert step(after) == pytest.approx(10.0 ** -math.floor(3 * progress))


def test_defaults_are_those_of_the_autoencoder():
    faces = inspect.signature(Autoencoder).parameters
    settings = inspect.signature(TrainingConfig).parameters
    shared = (faces.keys() & settings.keys()) - {"epochs", "batch_size"}  # `auto` there
    assert len(shared) > 8
    assert {n: faces[n].default for n in shared} == {n: settings[n].default for n in shared}


class Judged(torch.nn.Module):
    """All optimizers move in every epoch, and are judged by what they minimize."""

    def active_optimizers(self, progress):
        return list(self.optimizers())

    def held_out_losses(self, batch):
        terms = {}
        for optimizer in self.optimizers():
            terms |= self.losses(batch, optimizer)
        return terms


class Descent(Judged):
    """Weights that a loss of slope 1 moves down by the learning rate at every step.

    Training finds every epoch worse than the one before, and validation the weight best at -3.
    """

    def __init__(self, scales=(1.0,)):
        super().__init__()
        self.weights = torch.nn.ParameterList(torch.nn.Parameter(torch.zeros(1)) for _ in scales)
        self.scales = scales
        self.seen = []

    def losses(self, batch, optimizer):
        self.seen.append([w.item() for w in self.weights])
        if self.training:
            return {"down": torch.cat(list(self.weights)).sum() + 100.0 * len(self.seen)}
        return {"distance": (self.weights[0] + 3.0).abs().sum()}

    def optimizers(self):
        groups = zip(self.weights, self.scales, strict=True)
        return {"only": [{"params": [w], "lr_scale": s} for w, s in groups]}


STEADY = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.0, "schedule": "constant"}


@given(
    schedule=st.sampled_from(PLANNED),
    warm_up=st.sampled_from([0.0, 0.3]),
    rows=st.integers(2, 30),
)
def test_rates_follow_the_schedule_over_the_whole_training(schedule, warm_up, rows):
    config = TrainingConfig(
        **STEADY | {"schedule": schedule}, warm_up=warm_up, epochs=3, batch_size=4
    )
    model, told = Descent(scales=(1.0, 0.25)), []
    callbacks = Callback(on_step_end=lambda done, total: told.append((done, total)))
    history = train(model, Rows(torch.zeros(rows, 1)), config, callbacks=callbacks)
    steps = 3 * len(batch_bounds(rows, 4))
    factors = [config.rate_factor(i / steps) for i in range(steps)]
    path = np.array([*model.seen, [w.item() for w in model.weights]])
    np.testing.assert_allclose(-np.diff(path[:, 0]), factors, atol=1e-5)
    np.testing.assert_allclose(path[:, 1], 0.25 * path[:, 0], atol=1e-5)
    last = [factors[(i + 1) * steps // 3 - 1] for i in range(3)]
    assert [epoch.learning_rate for epoch in history] == pytest.approx(last)
    assert told == [((i + 1) * steps // 3, steps) for i in range(3)]


@pytest.mark.parametrize(("validated", "expected"), [(True, -3.0), (False, -8.0)])
def test_best_weights_are_kept_where_validation_can_tell(validated, expected):
    model, rows = Descent(), Rows(torch.zeros(2, 1))
    config = TrainingConfig(**STEADY, epochs=8, batch_size=2)
    train(model, rows, config, validation=rows if validated else None)
    assert model.weights[0].item() == pytest.approx(expected)
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("patience", [None, 3])
@pytest.mark.parametrize("halt", [2, 5])
@pytest.mark.parametrize("moment", ["step", "epoch"])
def test_a_resumed_training_remembers_its_best_epoch(tmp_path, patience, halt, moment):
    rows = Rows(torch.zeros(2, 1))
    config = TrainingConfig(**STEADY, epochs=8, batch_size=2, patience=patience)

    def stop(*seen):
        if (seen[0] if moment == "step" else seen[0].epoch + 1) == halt:
            raise InterruptedError

    def run(**options):
        model = Descent()
        history = train(
            model, rows, config, validation=rows, checkpoint=tmp_path / "file", **options
        )
        return model.weights[0].item(), [e.validation["distance"] for e in history]

    with pytest.raises(InterruptedError):
        run(callbacks=Callback(**{f"on_{moment}_end": stop}))
    distances = [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert run() == (-3.0, distances if patience is None else distances[:6])


class Flat(Judged):
    """Losses that are means of the rows, whatever the weight is."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def losses(self, batch, optimizer):
        zero = 0.0 * self.weight.sum()
        return {"mean": batch.x.mean() + zero, "square": batch.x.square().mean() + zero}

    def optimizers(self):
        return {"only": [{"params": [self.weight]}]}


@pytest.mark.parametrize(("rows", "batch"), [(10, 4), (1030, 4), (1001, 500)])
def test_an_epoch_reports_the_mean_over_rows_not_over_batches(rows, batch):
    x = torch.linspace(0, 3, rows)[:, None] ** 2
    held_out = torch.linspace(0, 2, 2500)[:, None] ** 2
    config = TrainingConfig(epochs=1, batch_size=batch)
    (epoch,) = train(Flat(), Rows(x), config, validation=Rows(held_out))
    for seen, values in ((epoch.train, x), (epoch.validation, held_out)):
        expected = {"mean": values.mean().item(), "square": values.square().mean().item()}
        assert seen == pytest.approx(expected, rel=1e-4)


def test_an_equal_loss_is_not_a_better_one():
    rows = Rows(torch.ones(4, 1))
    config = TrainingConfig(epochs=9, batch_size=2, patience=3)
    assert len(train(Flat(), rows, config, validation=rows)) == 4


def test_training_rows_are_augmented_and_held_out_rows_are_not():
    rows = Rows(torch.ones(10, 1))
    config = TrainingConfig(epochs=1, batch_size=4)
    (epoch,) = train(Flat(), rows, config, validation=rows, augment=lambda x: x + 2.0)
    assert epoch.train == pytest.approx({"mean": 3.0, "square": 9.0})
    assert epoch.validation == pytest.approx({"mean": 1.0, "square": 1.0})


def test_validation_has_no_dropout_and_the_same_noise_in_every_epoch():
    X = low_rank(64)
    options = {"hidden": (8,), "latent_dim": 3, "learning_rate": 1e-30, "epochs": 3}
    options |= {"linear_skip": False}  # its layers add nothing at first, with dropout or without
    plain = Autoencoder(kind="plain", dropout=0.5, loss="mse", **options).fit(X, validation=X)
    losses = [epoch.validation["reconstruction"] for epoch in plain.history_]
    assert losses == pytest.approx([-plain.score(X)] * 3)
    assert plain.history_[0].train["reconstruction"] != pytest.approx(losses[0])
    noisy = Autoencoder(kind="denoising", kind_options={"noise_until": 1.0}, **options).fit(
        X, validation=X
    )
    losses = [epoch.validation["reconstruction"] for epoch in noisy.history_]
    assert losses == [losses[0]] * 3
    assert len({epoch.train["reconstruction"] for epoch in noisy.history_}) == 3


def test_every_player_minimizes_the_sum_of_its_own_terms():
    class Game(Judged):
        def __init__(self):
            super().__init__()
            self.a, self.b = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))

        def losses(self, batch, optimizer):
            if optimizer == "first":
                return {"one": self.a.sum() + 100 * self.b.sum(), "two": 2 * self.a.sum()}
            return {"three": self.b.sum() + 100 * self.a.sum()}

        def optimizers(self):
            return {"first": [{"params": [self.a]}], "second": [{"params": [self.b]}]}

    model, rows = Game(), Rows(torch.zeros(2, 1))
    config = TrainingConfig(**STEADY, epochs=1, batch_size=2)
    (epoch,) = train(model, rows, config, validation=rows)
    assert (model.a.item(), model.b.item()) == (-3.0, -1.0)
    assert epoch.train == {"one": 0.0, "two": 0.0, "three": -300.0}
    assert epoch.validation == {"one": -103.0, "two": -6.0, "three": -301.0}


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("float32", torch.float32)]
)
def test_products_are_computed_in_the_precision_asked_for(precision, dtype):
    class Product(Flat):
        def losses(self, batch, optimizer):
            seen.append((batch.x @ self.weight[:, None]).dtype)
            return super().losses(batch, optimizer)

    seen, rows = [], Rows(torch.zeros(2, 1))
    config = TrainingConfig(epochs=1, batch_size=2, precision=precision, device="cpu")
    train(Product(), rows, config, validation=rows)
    assert seen == [dtype, dtype]


def test_small_steps_train_on_one_thread():
    class Threads(Flat):
        def losses(self, batch, optimizer):
            seen.append(torch.get_num_threads())
            return super().losses(batch, optimizer)

    seen, before = [], torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        train(
            Threads(), Rows(torch.zeros(2, 1)), TrainingConfig(epochs=1, batch_size=2, device="cpu")
        )
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


@given(n=st.integers(1, 9), data=st.data())
def test_labels_stay_with_their_rows(n, data):
    rows = Rows(torch.arange(n)[:, None], torch.arange(n)).to(torch.device("cpu"))
    chosen = data.draw(st.lists(st.integers(0, n - 1), min_size=1))
    for index, expected in ((torch.tensor(chosen), chosen), (slice(n // 2, n), range(n // 2, n))):
        batch = rows.take(index)
        assert batch.x[:, 0].tolist() == batch.y.tolist() == list(expected)
    assert Rows(rows.x).to(torch.device("cpu")).take(slice(0, 1)) == Batch(rows.x[:1], None)


def test_checkpoints_are_written_as_seldom_as_asked_for(tmp_path, monkeypatch):
    now, file = 0.0, tmp_path / "file"
    monkeypatch.setattr("cuello.train.state.time", SimpleNamespace(monotonic=lambda: now))
    checkpointer = Checkpointer(State(Flat(), {}), file, seconds=10.0, written_at=now)
    written = []
    for now in (1.0, 9.0, 10.0, 11.0, 19.0, 21.0):
        checkpointer.after_epoch()
        if file.exists():
            written.append(now)
            file.unlink()
    checkpointer.flush()
    assert (written, file.exists()) == ([10.0, 21.0], False)
    checkpointer.after_epoch()
    checkpointer.flush()
    assert file.exists()


def test_a_failed_write_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    file = tmp_path / "file"
    checkpointer = Checkpointer(State(Flat(), {}), file, seconds=0.0)
    checkpointer.after_epoch()
    whole = file.read_bytes()

    def full_disk(tensors, path, metadata):
        Path(path).write_bytes(whole[:20])
        raise OSError("no space left")

    monkeypatch.setattr("cuello.train.state.save_file", full_disk)
    with pytest.raises(RunError, match="no space left"):
        checkpointer.after_epoch()
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("losses", "largest", "step", "cause", "remedy"),
    [
        ([3.0, 2.0, 900.0, 100.0], 1.0, 4, "the loss rose from 2 to 900", "learning_rate=0.001"),
        ([2.0, 21.0], 1e6, 2, "learning_rate=0.01 is too large", "gradient_clip=1.0"),
        ([2.0, 19.0], 1e6, 2, r"the inputs are large \(up to 1e\+06\)", "scaling='standard'"),
        ([2.0, 19.0], 100.0, 2, "update at learning_rate=0.01 overflowed", "learning_rate=0.001"),
        ([], 100.0, 7, "update at learning_rate=0.01 overflowed", "gradient_clip=1.0"),
        ([], 100.0, 0, "the very first loss, before any update", "another initializer"),
    ],
)
def test_divergence_is_explained_by_what_was_seen(losses, largest, step, cause, remedy):
    config = TrainingConfig(learning_rate=0.01)
    rows = Rows(torch.tensor([[largest]]))
    text = str(divergence_error(step, {"kl": 1.0, "mse": math.nan}, losses, config, rows))
    assert re.search(f"'mse' became nan at step {step}\\. .*{cause}.*try .*{remedy}[., ]", text)


def test_finite_terms_whose_total_overflows_are_a_divergence():
    terms = {"kl": 3e38, "mse": 3e38}
    text = str(divergence_error(7, terms, [1.0], TrainingConfig(), Rows(torch.zeros(2, 3))))
    assert "'total' became inf at step 7" in text


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_first_bad_step_is_named(value):
    class Later(Flat):
        def losses(self, batch, optimizer):
            seen.append(1)
            terms = super().losses(batch, optimizer)
            return terms | {"bad": terms["mean"] + (value if len(seen) > 104 else 0.0)}

    seen = []
    with pytest.raises(DivergedError, match=f"'bad' became {value} at step 104\\."):
        train(Later(), Rows(torch.zeros(300, 1)), TrainingConfig(epochs=2, batch_size=2))


@pytest.mark.parametrize(
    ("option", "value", "way_out"),
    [
        ("learning_rate", 0.0, "use learning_rate=0.001"),
        ("learning_rate", math.nan, "above 0"),
        ("momentum", 1.0, "0 or more and below 1; use momentum=0.9"),
        ("learning_rate", math.inf, "above 0"),
        ("weight_decay", -1.0, "0 or more"),
        ("weight_decay", math.nan, "0 or more"),
        ("weight_decay", math.inf, "0 or more"),
        ("epochs", 0, "1 or more"),
        ("batch_size", 0, "1 or more"),
        ("patience", 0, "use patience=None"),
        ("gradient_clip", 0.0, "use gradient_clip=None"),
        ("warm_up", 1.0, "below 1"),
        ("optimizer", "adm", "did you mean 'adam'"),
        ("schedule", "cosin", "did you mean 'cosine'"),
        ("precision", "fp16", "bf16"),
    ],
)
def test_wrong_settings_are_refused(option, value, way_out):
    with pytest.raises(InputError, match=option) as error:
        TrainingConfig(**{option: value})
    assert way_out in str(error.value)


@pytest.mark.parametrize("device", ["tpu9", "meta"])
def test_unknown_device_is_refused(device):
    with pytest.raises(InputError, match=f"device='{device}'"):
        choose_placement(device, "auto", 8, torch.nn.Linear(1, 1))


def test_early_stopping_keeps_the_best_weights():
    X = low_rank(60)
    model = Autoencoder(
        kind="plain",
        hidden=(64,),
        latent_dim=9,
        linear_skip=False,
        epochs=2000,
        patience=5,
        learning_rate=0.02,
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

    def optimizers(self):
        return {name: [{"params": [getattr(self, name)]}] for name in ("first", "second")}

    def active_optimizers(self, progress):
        self.asked.append(progress)
        return ["second"] if progress >= 0.6 else ["first"]

    def losses(self, batch, optimizer):
        far = 0.001 if optimizer == "first" else 1.0  # the first one's loss is always less
        return {optimizer: far * (getattr(self, optimizer) - 1.0).square().sum()}

    def held_out_losses(self, batch):
        return self.losses(batch, "second")


@pytest.mark.parametrize("held_out", [None, Rows(torch.zeros(4, 2))])
@pytest.mark.parametrize(("epochs", "turns"), [(1, 0), (2, 1), (10, 6)])
def test_players_move_in_turn_and_the_last_epoch_is_of_those_that_are_judged(
    held_out, epochs, turns
):
    """Early stopping neither counts epochs in which others move, nor compares with them."""
    model, config = (
        InTurn(),
        TrainingConfig(epochs=epochs, batch_size=4, patience=2, learning_rate=0.01),
    )
    history = train(model, Rows(torch.zeros(4, 2)), config, validation=held_out)
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

    config = TrainingConfig(epochs=10, batch_size=4, learning_rate=0.01)
    with pytest.raises(DivergedError):
        train(model, Rows(torch.zeros(4, 2)), config, callbacks=Callback(on_epoch_end=sabotage))
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
    assert "learning_rate=1000000.0" in text
    assert "learning_rate=100000.0" in text
    assert np.isfinite(model.reconstruct(X)).all()


def test_divergence_in_a_later_epoch_restores_the_best_epoch():
    X = low_rank()
    seen = []

    def sabotage(epoch):
        seen.append({k: v.clone() for k, v in model.module_.state_dict().items()})
        if epoch.epoch == 2:
            with torch.no_grad():
                next(model.module_.parameters()).fill_(torch.nan)

    model = Autoencoder(kind="plain", hidden=(8,), latent_dim=3, linear_skip=False, epochs=9)
    with pytest.raises(DivergedError, match="at step 9\\."):
        model.fit(X, callbacks=Callback(on_epoch_end=sabotage))
    kept = model.module_.state_dict()
    assert all(torch.equal(kept[k], seen[2][k]) for k in kept)


def test_first_loss_not_finite_is_told_apart():
    X = low_rank()
    model = Autoencoder(kind="plain", latent_dim=3, hidden=(8,), epochs=2)
    model.initialize(X)

    class Broken(Judged):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(1))

        def losses(self, batch, optimizer):
            return {"broken": self.w.sum() / 0.0}

        def optimizers(self):
            return {"only": [{"params": [self.w]}]}

    with pytest.raises(DivergedError, match="the very first loss"):
        train(Broken(), Rows(torch.zeros(4, 2)), TrainingConfig(epochs=1, batch_size=2))


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
from cuello.train import Callback
import cuello.train.loop as loop
X = np.random.default_rng(0).random((4000, 64), dtype=np.float32)

def step(done, total):
    if sys.argv[1] == "halt" and done > 4 * 29 and 5 <= done % 29 <= 15:
        print(done, flush=True)
        sys.stdin.read()  # until it is killed

loop._SYNC_EVERY = 5
loop_train = loop.train
import cuello.estimators.autoencoder as face
face.train = lambda *a, **k: loop_train(*a, **k, checkpoint_seconds=0.0)
for folder in map(Path, sys.argv[2:]):
    model = Autoencoder(hidden=(128, 64), latent_dim=8, epochs=12, batch_norm=True, dropout=0.1)
    model.fit(X, checkpoint=folder / "checkpoint", callbacks=Callback(on_step_end=step))
    save_file(model.module_.state_dict(), folder / "weights")
    (folder / "epochs").write_text(json.dumps([e.epoch for e in model.history_]))
"""


@pytest.mark.slow
def test_sigkill_in_the_middle_of_an_epoch_then_resume_equals_uninterrupted(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-c", CHILD, *map(str, arguments)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    whole, halted = tmp_path / "whole", tmp_path / "halted"
    whole.mkdir()
    halted.mkdir()
    with run("halt", halted) as child:
        # a few steps into the fifth epoch or a later one: in the middle, not between two
        done = int(child.stdout.readline())
        assert len(batch_bounds(3600, 128)) == 29
        assert done > 4 * 29
        child.kill()
        assert child.wait(30) == -signal.SIGKILL
    assert (halted / "checkpoint").exists()
    assert not (halted / "weights").exists()
    with run("go on", halted, whole) as child:
        assert child.wait(120) == 0
    assert json.loads((halted / "epochs").read_text()) == list(range(12))
    a, b = load_file(whole / "weights"), load_file(halted / "weights")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
