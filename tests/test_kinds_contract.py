"""Laws that every registered kind obeys; a new kind is found here by itself."""

from __future__ import annotations

import contextlib
import copy
import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello import Autoencoder, InputError, kinds
from cuello.data.noise import NOISES, Noise
from cuello.kinds import Batch
from cuello.run.folder import RunFolder
from cuello.run.models import Models, load_models, save_models
from cuello.train import Rows, TrainingConfig, train

# A few epochs on noise may well leave a kind with something to warn of.
pytestmark = pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")

KINDS = sorted(kinds.KINDS)
OPTIMIZERS = ["adam", "adamw", "muon", "rmsprop", "sgd"]
SHAPES = st.one_of(
    st.tuples(st.integers(2, 40)),
    st.tuples(st.integers(1, 9), st.integers(2, 9)),
    st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(2, 6)),
)


def toy(n=96, features=12, seed=0):
    """Rows near a plane of 3 dimensions: a code of 3 says nearly everything about them."""
    rng = np.random.default_rng(seed)
    plane = rng.normal(size=(n, 3)) @ rng.normal(size=(3, features))
    return (plane + 0.01 * rng.normal(size=(n, features))).astype(np.float32)


def small(kind, **options):
    defaults = {"hidden": (16,), "latent_dim": 3, "epochs": 2, "batch_size": 32}
    return Autoencoder(kind=kind, **(defaults | options))


def labels(kind, rows):
    """Three classes and a few rows without one, for kinds that need classes."""
    if not kinds.KINDS[kind].needs_labels:
        return None
    return np.where(np.arange(rows) % 5 == 4, -1, np.arange(rows) % 3)


def fit(model, X, **more):
    return model.fit(X, labels(model.kind, len(X)), **more)


def batch_of(kind, x):
    y = labels(kind, len(x))
    near = x.roll(1, 0) if "neighbours" in kinds.KINDS[kind].options() else None
    return Batch(x, None if y is None else torch.from_numpy(y), near)


def weights(model):
    return {k: v.clone() for k, v in model.module_.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("kind", KINDS)
def test_says_what_it_is(kind):
    entry = kinds.KINDS[kind]
    assert entry.summary.endswith(".")
    assert entry.equation
    assert any(character.isdigit() for character in entry.paper)  # the year, at least
    for option in entry.options().values():
        assert option.help, option.name
        assert option.type in ("str", "int", "float", "bool"), option.name
        assert ":`" not in option.help


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(shape=SHAPES, rows=st.integers(2, 7), batch_norm=st.booleans(), seed=st.integers(0, 99))
def test_shapes(kind, shape, rows, batch_norm, seed):
    X = np.random.default_rng(seed).random((rows, *shape), dtype=np.float32)
    model = small(kind, latent_dim=1, epochs=1, batch_size="auto", batch_norm=batch_norm)
    fit(model, X)
    z = model.transform(X)
    assert z.shape == (rows, 1)
    assert model.inverse_transform(z).shape == X.shape
    assert model.reconstruct(X).shape == X.shape
    assert model.score_samples(X).shape == (rows,)
    assert np.isfinite(z).all()


@pytest.mark.parametrize("kind", KINDS)
def test_encode_is_deterministic(kind):
    model = fit(small(kind, dropout=0.5), toy())
    assert np.array_equal(model.transform(toy()), model.transform(toy()))


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_weights_another_seed_others(kind):
    first, again, other = (fit(small(kind, random_state=s), toy()) for s in (1, 1, 2))
    assert equal(weights(first), weights(again))
    assert not equal(weights(first), weights(other))


@pytest.mark.parametrize("kind", KINDS)
def test_save_and_load_are_equal_to_the_bit(kind, tmp_path):
    model = fit(small(kind, batch_norm=True), toy())
    folder = RunFolder(tmp_path / "run")
    folder.start({"status": "running"})
    save_models(folder, Models(model))
    loaded, classifier, *_ = load_models(folder)
    assert classifier is None
    assert equal(weights(model), weights(loaded))
    assert np.array_equal(model.transform(toy()), loaded.transform(toy()))
    assert np.array_equal(model.reconstruct(toy()), loaded.reconstruct(toy()))
    assert loaded.get_params() == {**model.get_params(), "hidden": [16]}


@pytest.mark.parametrize("kind", KINDS)
def test_loss_falls(kind):
    model = fit(small(kind, epochs=60, learning_rate=0.01, linear_skip=False), toy())
    # What a kind weighs more as training goes on may rise; the reconstruction may not.
    term = "reconstruction" if kind == "neighbour" else None
    first, last = (
        sum(v for name, v in model.history_[i].train.items() if term in (None, name))
        for i in (0, -1)
    )
    assert last < 0.7 * first


@pytest.mark.parametrize(
    ("kind", "optimizer"),
    [
        pytest.param(
            kind,
            optimizer,
            marks=[] if optimizer == "adam" or kind == "adversarial" else pytest.mark.long,
        )
        for kind in KINDS
        for optimizer in OPTIMIZERS
    ],
)
def test_resumed_equals_uninterrupted(kind, optimizer, tmp_path):
    options = {"optimizer": optimizer, "batch_norm": True, "dropout": 0.2, "epochs": 4}
    whole = fit(small(kind, **options), toy(), checkpoint=tmp_path / "whole")

    def stop_after_two(epoch):
        if epoch.epoch == 1:
            raise InterruptedError

    from cuello.train import Callback

    halted = small(kind, **options)
    with pytest.raises(InterruptedError):
        fit(
            halted,
            toy(),
            checkpoint=tmp_path / "part",
            callbacks=Callback(on_epoch_end=stop_after_two),
        )
    torch.rand(17)  # whatever else draws random numbers in between does not matter
    resumed = fit(small(kind, **options), toy(), checkpoint=tmp_path / "part")
    assert len(resumed.history_) == 4
    assert equal(weights(whole), weights(resumed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [2, 3, 9])
def test_last_batch_of_one_row(kind, rows):
    model = small(kind, batch_norm=True, batch_size=2, validation_fraction=0.0)
    assert np.isfinite(fit(model, toy(rows)).transform(toy(rows))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_is_refused_or_trained_on(kind):
    with pytest.raises(ValueError, match="1 sample"):
        fit(small(kind), toy(1))


@pytest.mark.parametrize("kind", KINDS)
def test_ten_times_the_learning_rate_stays_finite_or_stops_clearly(kind):
    from cuello import DivergedError

    model = small(kind, learning_rate=0.01, epochs=15)
    with contextlib.suppress(DivergedError):
        fit(model, toy())
    assert np.isfinite(model.transform(toy())).all()


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_ends_near_float32(kind):
    # Noise that no code can hold sets a floor well above what bfloat16 rounds away.
    X = toy(256) + np.random.default_rng(1).normal(size=(256, 12)).astype(np.float32)
    options = {"epochs": 12, "learning_rate": 0.01, "batch_size": 64}
    losses = [
        sum(fit(small(kind, precision=p, **options), X).history_[-1].train.values())
        for p in ("float32", "bf16")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_training_leaves_the_global_random_state_alone(kind):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(small(kind), toy())
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_agrees_with_finite_differences(kind):
    """Of each optimizer's loss, in the weights that it owns."""
    model = small(kind, activation="tanh").initialize(toy(), labels(kind, 96))
    module = model.module_.double().eval()
    x = torch.from_numpy(toy(4)).double()
    names = {p: n for n, p in module.named_parameters() if p.ndim > 1}

    def loss(optimizer, owned, *values):
        twin = copy.deepcopy(module)
        torch.manual_seed(0)  # the same noise in every evaluation

        def total():
            terms = twin_losses(dict(zip([names[p] for p in owned], values, strict=True)))
            return torch.stack(list(terms.values())).sum()

        def twin_losses(changed):
            return torch.func.functional_call(
                _Losses(twin, optimizer), {f"module.{k}": v for k, v in changed.items()}, (x,)
            )

        return total()

    class _Losses(torch.nn.Module):
        def __init__(self, module, optimizer):
            super().__init__()
            self.module = module
            self.optimizer = optimizer

        def forward(self, x):
            return self.module.losses(batch_of(kind, x), self.optimizer)

    for optimizer, groups in module.optimizers().items():
        owned = [p for group in groups for p in group["params"] if p in names]
        assert torch.autograd.gradcheck(
            functools.partial(loss, optimizer, owned), tuple(owned), fast_mode=True
        )


@pytest.mark.parametrize("kind", KINDS)
def test_loop_equals_a_plain_torch_loop(kind):
    """Oracle: the shortest loop one would write, on the same order of rows and the same noise."""
    from cuello.train.loop import _seed

    X = torch.from_numpy(toy(64))
    module = small(kind).initialize(X.numpy(), labels(kind, 64)).module_
    reference = copy.deepcopy(module).train()
    how = TrainingConfig(epochs=3, batch_size=16, learning_rate=0.01, schedule="constant", seed=4)
    rows = Rows(X, batch_of(kind, X).y).with_neighbours(
        module.neighbours, module.neighbour_features
    )
    train(module, rows, how)
    optimizers = {
        name: torch.optim.Adam([{"lr": 0.01 * g.get("lr_scale", 1.0), **g} for g in groups])
        for name, groups in reference.optimizers().items()
    }
    with torch.random.fork_rng(devices=[]):
        for epoch in range(3):
            torch.manual_seed(_seed(4, epoch))
            active = reference.active_optimizers(1.0 if epoch == 2 else epoch / 3)
            for step, index in enumerate(torch.randperm(64).split(16)):
                reference.progress = (4 * epoch + step) / 12
                for optimizer in active:
                    optimizers[optimizer].zero_grad()
                    terms = reference.losses(rows.take(index, reference.progress), optimizer)
                    sum(terms.values()).backward()
                    optimizers[optimizer].step()
    for ours, plain in zip(module.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("output", ["sigmoid", "tanh", "softplus"])
def test_decoded_rows_are_the_last_sums_activated(kind, output):
    X = np.random.default_rng(0).random((40, 12), dtype=np.float32)
    scaling = "symmetric" if output == "tanh" else "none"
    model = small(kind, output_activation=output, scaling=scaling, loss="mse")
    module = model.initialize(X, labels(kind, 40)).module_
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1  # those that start at 0 would give nothing to tell apart
    sums = []
    module.decoder.register_forward_hook(lambda layer, inputs, out: sums.append(out))
    rows = module.decode(3.0 * torch.randn(9, 3, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(rows, module.reconstruction.activate(sums[-1]))
    assert not torch.equal(rows, sums[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_has_one_optimizer_at_a_time(kind):
    module = small(kind, batch_norm=True).initialize(toy(), labels(kind, 96)).module_
    optimizers = module.optimizers()
    for progress in np.linspace(0.0, 1.0, 11):
        owned = [
            id(parameter)
            for optimizer in module.active_optimizers(progress)
            for group in optimizers[optimizer]
            for parameter in group["params"]
        ]
        assert len(owned) == len(set(owned))
        assert set(owned) <= {id(p) for p in module.parameters()}
    assert set(owned) == {id(p) for p in module.parameters()}  # at the end, every one moves


# Options that matter only beside others.
BESIDE = {"rate": {"penalty": "kl"}, "commitment": {"codebook_size": 4}}


@pytest.mark.parametrize("kind", KINDS)
def test_options_reach_the_training(kind):
    for name, option in kinds.KINDS[kind].options().items():
        if isinstance(option.default, float):
            beside = BESIDE.get(name, {})
            changed = {name: option.default / 2 or 0.25}
            two = [
                fit(small(kind, kind_options=beside | more, epochs=8), toy(48))
                for more in ({}, changed)
            ]
            terms = [model.history_[-1].train for model in two]
            assert terms[0] != terms[1] or not equal(*map(weights, two)), f"{name} changes nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_options_are_refused(kind):
    with pytest.raises(InputError, match=f"'nothing' is not an option of kind={kind!r}"):
        small(kind, kind_options={"nothing": 1}).initialize(toy(), labels(kind, 96))
    with pytest.raises(InputError, match="is not known"):
        kinds.KINDS[kind + "_"]


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_outside_their_range_are_refused_with_the_default(kind):
    for option in kinds.KINDS[kind].options().values():
        if option.type in ("int", "float"):
            for value in (math.nan, math.inf, "much", -1e9):
                text = f"{option.name}={value!r} must be .*use {option.name}={option.default!r}"
                with pytest.raises(InputError, match=text):
                    small(kind, kind_options={option.name: value}).initialize(
                        toy(), labels(kind, 96)
                    )


@pytest.mark.parametrize(
    ("alias", "kind", "options"),
    [
        ("ae", "plain", {}),
        ("dae", "denoising", {}),
        ("sae", "sparse", {}),
        ("cae", "contractive", {}),
        ("vae", "variational", {}),
        ("iwae", "variational", {"samples": 5}),
        ("cvae", "conditional", {}),
        ("vqvae", "vector-quantised", {}),
        ("aae", "adversarial", {}),
        ("wae", "wasserstein", {}),
        ("mae", "masked", {}),
    ],
)
def test_an_alias_is_the_kind_with_the_options_it_implies(alias, kind, options):
    one = fit(small(alias, epochs=1), toy(48))
    other = small(kind, kind_options=options, epochs=1).fit(toy(48), labels(kind, 48))
    assert equal(weights(one), weights(other))
    assert kinds.KINDS.resolve(alias) == kind


def test_an_alias_gives_way_to_options():
    model = small("iwae", kind_options={"samples": 2}, epochs=1).initialize(toy(48))
    assert model.module_.samples == 2


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_plain_minimizes_the_distance_to_its_own_reconstruction(loss):
    X = np.random.default_rng(0).random((40, 3, 4), dtype=np.float32)
    module = small("plain", loss=loss).initialize(X).module_.eval()
    x = torch.from_numpy(X)
    terms, back = module.losses(Batch(x), "autoencoder"), module.decode(module.encode(x))
    expected = {
        "mse": (back - x).square().mean(),
        "bce": -(x * back.log() + (1 - x) * (1 - back).log()).mean(),
    }
    assert terms.keys() == {"reconstruction"}
    torch.testing.assert_close(terms["reconstruction"], expected[loss])


@settings(deadline=None, max_examples=30)
@given(
    noise=st.sampled_from(sorted(NOISES)),
    level=st.floats(0.1, 0.9),
    share=st.floats(0.1, 1.0),
    signed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_denoising_reconstructs_the_clean_row_from_the_noise_it_was_given(
    noise, level, share, signed, seed
):
    low = -1.0 if signed else 0.0
    X = np.random.default_rng(seed).random((40, 12), dtype=np.float32) * (1.0 - low) + low
    chosen = {"noise": noise, "noise_level": level, "noise_share": share}
    options = {"kind_options": chosen, "validation_fraction": 0.0, "scaling": "none", "loss": "mse"}
    module = small("denoising", **options).initialize(X).module_.eval()
    module.progress = 0.0  # at the end no sample is damaged
    x = torch.from_numpy(X)
    bounds = {"low": float(X.min()), "high": float(X.max())}
    assert module.noise == Noise(noise, level, share=share, **bounds)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        loss = module.losses(Batch(x), "autoencoder")["reconstruction"]
        torch.manual_seed(seed)
        back = module.decode(module.encode(module.noise(x)))
    torch.testing.assert_close(loss, (back - x).square().mean())


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_that_are_drawn_can_be_decoded(kind):
    model = fit(small(kind), toy())
    module = model.module_
    drawn = module.prior(7, torch.Generator().manual_seed(0))
    z = torch.from_numpy(model.transform(toy()))
    torch.testing.assert_close(module.nearest_embedding(z), z)  # codes of rows are codes already
    if drawn is None:
        assert not module.normal_prior
        return
    assert drawn.shape == (7, 3)
    assert torch.equal(drawn, module.prior(7, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(module.nearest_embedding(drawn), drawn)
    assert module.decode(drawn).shape == (7, 12)


@pytest.mark.parametrize(("progress", "damaged"), [(0.0, True), (0.5, True), (0.6, False)])
def test_denoising_ends_with_clean_samples(progress, damaged):
    options = {"noise_level": 0.9, "noise_share": 1.0, "noise_until": 0.5}
    X = np.random.default_rng(0).normal(size=(40, 12))
    module = small("denoising", kind_options=options).initialize(X).module_.eval()
    module.progress = progress
    x = torch.from_numpy(X).float()
    clean = module.reconstruction(module.decoder(module.encoder(x)), x)
    with torch.random.fork_rng(devices=[]):
        loss = module.losses(Batch(x), "autoencoder")["reconstruction"]
    assert (loss != clean) == damaged
