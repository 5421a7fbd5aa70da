"""Networks trained as one stacked computation end where each ends that is trained alone."""

from __future__ import annotations

import copy
import warnings
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.estimators import Autoencoder
from cuello.estimators.many import fit_many, groups_of
from cuello.kinds import KINDS, Parts, ReconstructionLoss, build_module
from cuello.networks import dense
from cuello.train import Callback, Rows, TrainingConfig, train
from cuello.train import many as module
from cuello.train.many import train_many, why_not_stackable
from cuello.train.placement import Placement
from cuello.train.stepper import STACKED_OPTIMIZERS
from cuello_labs import kernels
from cuello_labs.kernels.plain_dense import layers_of

X = torch.randn(24, 6, generator=torch.Generator().manual_seed(0))


def network(
    seed, *, hidden=(5,), activation="tanh", batch_norm=False, kind="plain", reduction="mean", **own
):
    torch.manual_seed(seed)
    encoder, decoder = dense.build_dense(
        (6,), 2, 2, hidden=hidden, activation=activation, batch_norm=batch_norm
    )
    parts = Parts(
        encoder=encoder,
        decoder=decoder,
        reconstruction=ReconstructionLoss(loss="mse", low=-4.0, high=4.0, reduction=reduction),
        shape=(6,),
        latent_dim=2,
    )
    return build_module(kind, parts, **own)


STRATEGIES = ("stacked", "compiled")


def together(strategy, models, configs, **more):
    """Train as one stack, or by compiled steps where they apply."""
    assert why_not_stackable(models, configs) == ""
    backend = kernels if strategy == "compiled" and kernels.available() else None
    with mock.patch.object(module, "compiled_backend", return_value=backend):
        return train_many(models, Rows(X), configs, **more)


def both(models, configs, strategy="stacked", **more):
    """Train copies together and alone; return the pairs and the two lists of histories."""
    alone = copy.deepcopy(models)
    outcomes = together(strategy, models, configs, **more)
    histories = [
        train(model, Rows(X), config, **more) for model, config in zip(alone, configs, strict=True)
    ]
    return list(zip(models, alone, strict=True)), outcomes, histories


def assert_equal_weights(pairs, tolerance=1e-5):
    for together, alone in pairs:
        for (name, a), b in zip(
            together.state_dict().items(), alone.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(a, b, atol=tolerance, rtol=0, msg=name)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "batch_size",
    [pytest.param(1, marks=pytest.mark.long), 7, pytest.param(24, marks=pytest.mark.long)],
)
@pytest.mark.parametrize("optimizer", sorted(STACKED_OPTIMIZERS))
def test_weights_after_100_steps_are_those_of_one_by_one(optimizer, batch_size, strategy):
    epochs = -(-100 * batch_size // 24)
    configs = [
        TrainingConfig(
            optimizer=optimizer,
            learning_rate=0.002 * (i + 1),
            momentum=0.2 * i,
            weight_decay=0.01 * i,
            epochs=epochs,
            batch_size=batch_size,
            seed=i,
        )
        for i in range(4)
    ]
    pairs, outcomes, histories = both([network(i) for i in range(4)], configs, strategy)
    assert_equal_weights(pairs)
    for outcome, history in zip(outcomes, histories, strict=True):
        assert outcome.error is None
        assert len(outcome.history) == len(history)
        for a, b in zip(outcome.history, history, strict=True):
            assert a.train["reconstruction"] == pytest.approx(b.train["reconstruction"], rel=1e-4)
            assert a.learning_rate == pytest.approx(b.learning_rate)


@settings(max_examples=10, deadline=None)
@given(
    strategy=st.sampled_from(STRATEGIES),
    reduction=st.sampled_from(["mean", "sum"]),
    count=st.integers(1, 5),
    hidden=st.sampled_from([(), (4,), (5, 3)]),
    activation=st.sampled_from(["relu", "tanh", "sigmoid"]),
    schedule=st.sampled_from(["constant", "cosine", "linear", "step", "adaptive"]),
    shuffle=st.sampled_from(["always", "once", "never"]),
    clip=st.sampled_from([None, 0.1]),
    batch_size=st.sampled_from([1, 5, 23, 24]),
)
def test_any_network_and_training(
    strategy, reduction, count, hidden, activation, schedule, shuffle, clip, batch_size
):
    models = [
        network(i, hidden=hidden, activation=activation, reduction=reduction) for i in range(count)
    ]
    configs = [
        TrainingConfig(
            optimizer="sgd",
            learning_rate=0.005,
            schedule=schedule,
            shuffle=shuffle,
            gradient_clip=clip,
            epochs=5,
            batch_size=batch_size,
            seed=i,
        )
        for i in range(count)
    ]
    pairs, outcomes, histories = both(models, configs, strategy)
    assert_equal_weights(pairs)
    rates = [[e.learning_rate for e in outcome.history] for outcome in outcomes]
    np.testing.assert_allclose(rates, [[e.learning_rate for e in h] for h in histories])


def test_batch_statistics_are_each_networks_own():
    configs = [
        TrainingConfig(optimizer="sgd", learning_rate=0.05, epochs=10, batch_size=8, seed=i)
        for i in range(3)
    ]
    pairs, _, _ = both([network(i, batch_norm=True) for i in range(3)], configs)
    assert_equal_weights(pairs, 1e-4)
    means = [m.state_dict()["encoder.0.2.running_mean"] for m, _ in pairs]
    assert not torch.allclose(means[0], means[1])


def test_the_best_weights_on_held_out_rows_are_kept():
    held_out = Rows(X[:8] * 3.0)
    # So large a rate that the last epoch is seldom the best.
    configs = [
        TrainingConfig(
            optimizer="sgd",
            learning_rate=0.4,
            schedule="constant",
            epochs=15,
            batch_size=24,
            seed=i,
        )
        for i in range(4)
    ]
    pairs, outcomes, histories = both([network(i) for i in range(4)], configs, validation=held_out)
    assert_equal_weights(pairs)
    for outcome, history in zip(outcomes, histories, strict=True):
        found = [epoch.validation["reconstruction"] for epoch in outcome.history]
        expected = [epoch.validation["reconstruction"] for epoch in history]
        assert found == pytest.approx(expected, rel=1e-4)
    assert any(np.argmin([e.loss for e in o.history]) < 14 for o in outcomes)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_network_that_diverges_leaves_the_others_alone(strategy):
    configs = [
        TrainingConfig(optimizer="sgd", learning_rate=rate, epochs=120, batch_size=24, momentum=0.0)
        for rate in (0.01, 1e6, 0.02)
    ]
    models = [network(i, activation="identity") for i in range(3)]
    alone = copy.deepcopy(models)
    outcomes = together(strategy, models, configs)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert "learning_rate=1000000.0" in str(outcomes[1].error)
    assert len(outcomes[1].history) < 120
    assert all(bool(w.isfinite().all()) for w in models[1].state_dict().values())
    for i in (0, 2):
        train(alone[i], Rows(X), configs[i])
    assert_equal_weights([(models[0], alone[0]), (models[2], alone[2])])


def test_more_networks_than_fit_are_split(monkeypatch):
    configs = [TrainingConfig(epochs=3, batch_size=8, seed=i) for i in range(5)]
    whole, split = [network(i) for i in range(5)], [network(i) for i in range(5)]
    together("stacked", whole, configs)
    each = module._bytes_each(split[0], Rows(X), configs[0])
    monkeypatch.setattr(module, "_BYTES", 2 * each)
    sizes, steps = [], []
    start = module.Stack.__post_init__
    monkeypatch.setattr(
        module.Stack, "__post_init__", lambda self: (sizes.append(len(self.models)), start(self))
    )
    together(
        "stacked", split, configs, callbacks=Callback(on_step_end=lambda a, b: steps.append((a, b)))
    )
    assert sizes == [2, 2, 1]
    assert steps[-1] == (27, 27)
    assert_equal_weights(zip(whole, split, strict=True), 1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_random_numbers_outside_are_not_touched(strategy):
    torch.manual_seed(3)
    expected = torch.rand(3)
    models = [network(0), network(1)]
    torch.manual_seed(3)
    together(strategy, models, [TrainingConfig(epochs=1, batch_size=8)] * 2)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"epochs": 2}, "differ in epochs"),
        ({"optimizer": "sgd"}, "differ in optimizer"),
        ({"patience": 2}, "differ in patience"),
    ],
)
def test_trainings_that_cannot_be_one(change, reason):
    configs = [
        TrainingConfig(epochs=1, batch_size=8),
        TrainingConfig(**{"epochs": 1, "batch_size": 8} | change),
    ]
    assert reason in why_not_stackable([network(0), network(1)], configs)


def test_networks_that_cannot_be_one():
    configs = [TrainingConfig(epochs=1, batch_size=8)] * 2
    assert "layers" in why_not_stackable([network(0), network(1, hidden=(4,))], configs)
    assert "patience" in why_not_stackable([network(0)], [TrainingConfig(patience=2, batch_size=8)])
    assert "optimizer" in why_not_stackable(
        [network(i, kind="adversarial") for i in (0, 1)], configs
    )
    precise = [TrainingConfig(precision="bf16", batch_size=8)] * 2
    assert "work enough" in why_not_stackable([network(0), network(1)], precise)


def test_large_steps_are_neither_stacked_nor_compiled(monkeypatch):
    """Compiled steps go row by row: a wide network took ten times as long in them as alone."""
    small, large = (network(0, hidden=(width,)) for width in (8, 4000))
    config = TrainingConfig(epochs=1, batch_size=128)
    assert module.fastest_strategy(large, config) == "one by one"
    assert "work enough" in why_not_stackable([large, large], [config] * 2)
    assert module.fastest_strategy(small, TrainingConfig(batch_size=8)) in ("compiled", "stacked")
    monkeypatch.setattr(module, "compiled_backend", lambda: None)
    assert module.fastest_strategy(small, TrainingConfig(batch_size=8)) == "stacked"


@pytest.mark.parametrize(("batch", "compiles"), [(8, True), (20_000, False)])
def test_steps_are_compiled_where_they_are_small(monkeypatch, batch, compiles):
    called = []
    backend = SimpleNamespace(train=lambda *_: called.append(True))
    monkeypatch.setattr(module, "compiled_backend", lambda: backend)
    models = [network(seed) for seed in (0, 1)]
    train_many(models, Rows(X), [TrainingConfig(epochs=1, batch_size=batch)] * 2)
    assert bool(called) == compiles


def test_a_device_that_was_asked_for_is_not_left_aside(monkeypatch):
    graphics = Placement(torch.device("cuda"), bf16=False, threads=1)
    monkeypatch.setattr(module, "choose_placement", lambda *arguments: graphics)
    models = [network(0), network(1)]
    assert "'cuda'" in why_not_stackable(models, [TrainingConfig(batch_size=8, device="cuda")] * 2)
    assert why_not_stackable(models, [TrainingConfig(batch_size=8)] * 2) == ""


OPTIONS = {"hidden": (8,), "latent_dim": 2, "epochs": 4, "batch_size": 16}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_fitted_together_or_alone(kind):
    rows = np.random.default_rng(0).random((48, 5), dtype=np.float32)
    y = np.arange(48) % 3
    models = [Autoencoder(kind, random_state=seed, **OPTIONS) for seed in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ended = dict(fit_many(models, rows, y, validation=rows[:16]))
        alone = Autoencoder(kind, random_state=1, **OPTIONS).fit(rows, y, validation=rows[:16])
    assert ended == {0: None, 1: None, 2: None}
    assert models[1].transform(rows).shape == (48, 2)
    assert len(models[1].history_) == 4
    # What is drawn inside a loss is drawn anew, so only losses without draws are the same.
    close = 1e-4 if kind in ("plain", "sparse", "contractive", "stacked", "adversarial") else 0.15
    assert models[1].history_[-1].loss == pytest.approx(alone.history_[-1].loss, rel=close)
    codes = [model.transform(rows) for model in models]
    assert not np.allclose(codes[0], codes[1])


def test_why_networks_are_trained_one_by_one_is_said():
    rows = np.random.default_rng(0).random((48, 5), dtype=np.float32)
    said = []
    models = [Autoencoder("adversarial", random_state=seed, **OPTIONS) for seed in range(2)]
    dict(fit_many(models, rows, validation=rows[:8], say=said.append))
    assert said == ["2 networks are trained one by one: more than one optimizer, or several rates."]
    said.clear()
    models = [Autoencoder("plain", random_state=seed, **OPTIONS) for seed in range(2)]
    dict(fit_many(models, rows, say=said.append))
    assert "holds out samples of its own" in said[0]


def test_a_diverged_estimator_is_reported_and_usable():
    rows = np.random.default_rng(0).random((48, 5), dtype=np.float32)
    models = [
        Autoencoder(
            "plain",
            optimizer="sgd",
            activation="identity",
            output_activation="identity",
            loss="mse",
            learning_rate=rate,
            validation_fraction=0.0,
            **OPTIONS | {"epochs": 60},
        )
        for rate in (0.01, 1e9)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ended = dict(fit_many(models, rows))
    assert ended[0] is None
    assert "learning_rate" in str(ended[1])
    assert np.isfinite(models[1].transform(rows)).all()


def test_groups_hold_what_differs_in_rates_and_seeds_only():
    models = [
        Autoencoder(latent_dim=2, random_state=0),
        Autoencoder(latent_dim=3),
        Autoencoder(latent_dim=2, random_state=5, learning_rate=0.1, momentum=0.1),
        Autoencoder(latent_dim=2, initializer="he_uniform", weight_decay=0.1),
        Autoencoder(latent_dim=2, kind_options={"noise_level": 0.1}),
        Autoencoder(latent_dim=2, kind_options={"noise_level": 0.0}),
        Autoencoder(latent_dim=2, kind_options={"noise_level": 0.5}),
        Autoencoder(latent_dim=2, kind_options={"noise_level": 0.5, "noise": "gaussian"}),
    ]
    assert groups_of(models) == [[0, 2, 3], [1], [4, 6], [5], [7]]


@pytest.mark.parametrize("noise", ["gaussian", "masking", "salt_and_pepper", "flip"])
def test_each_network_of_a_stack_has_its_own_noise(noise):
    """With nothing learned, the loss is what the noise does: at 0.01 little, at 0.9 much."""
    rows = np.random.default_rng(0).random((400, 20), dtype=np.float32)
    models = [
        Autoencoder(
            kind_options={"noise": noise, "noise_level": level, "noise_share": 1.0},
            hidden=(),
            latent_dim=20,
            allow_overcomplete=True,
            learning_rate=0.01,
            loss="mse",
            output_activation="identity",
            epochs=60,
            validation_fraction=0.0,
        )
        for level in (0.01, 0.9)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = []
        assert dict(fit_many(models, rows, say=said.append)) == {0: None, 1: None}
    assert said == []
    losses = [model.history_[-1].loss for model in models]
    assert losses[0] < 0.3 * losses[1]


def test_only_plain_dense_networks_under_squared_error_are_compiled():
    assert layers_of(network(0)).sizes == (6, 5, 2, 5, 6)
    assert layers_of(network(0, activation="relu")).activations[:2] == ("relu", "identity")
    assert layers_of(network(0, batch_norm=True)) is None
    assert layers_of(network(0, activation="elu")) is None
    assert layers_of(network(0, kind="denoising")) is None
    rows = np.random.default_rng(0).random((20, 5), dtype=np.float32)
    options = {"hidden": (4,), "latent_dim": 2, "loss": "mse", "output_activation": "sigmoid"}
    options |= {"scaling": "none", "linear_skip": False}
    ours = Autoencoder("plain", **options).initialize(rows).module_
    assert layers_of(ours).activations[-1] == "sigmoid"
    tied = {"network_options": {"tied": True}}
    for other in ({"loss": "bce"}, {"dropout": 0.1}, tied, {"linear_skip": True}):
        assert layers_of(Autoencoder("plain", **options | other).initialize(rows).module_) is None


def test_histories_are_sequences_of_epochs():
    configs = [TrainingConfig(optimizer="sgd", epochs=4, batch_size=8, seed=i) for i in range(2)]
    history = together("compiled", [network(0), network(1)], configs)[1].history
    assert len(history) == 4
    assert [epoch.epoch for epoch in history] == [0, 1, 2, 3]
    assert [epoch.epoch for epoch in history[1:3]] == [1, 2]
    assert history[-1].epoch == 3
    with pytest.raises(IndexError):
        history[4]


def test_what_keeps_networks_apart_is_said():
    rows = np.random.default_rng(0).random((48, 5), dtype=np.float32)
    options = OPTIONS | {"validation_fraction": 0.0, "epochs": 1}
    for seeds, told in ((1, "one by one: they differ in"), (2, "in 2 stacks: they differ in")):
        said = []
        models = [
            Autoencoder("plain", random_state=seed, **options | {"latent_dim": latents})
            for latents in (1, 2)
            for seed in range(seeds)
        ]
        dict(fit_many(models, rows, say=said.append))
        assert said == [f"{len(models)} networks are trained {told} latent_dim."]
