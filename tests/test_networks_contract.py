"""Laws of every network with every kind; new ones of either are found here by themselves."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from sklearn.base import clone

from cuello import Autoencoder, kinds, load, networks
from cuello.networks.dense import TiedLinear
from cuello.run.folder import RunFolder
from cuello.run.models import Models, load_models, save_models

pytestmark = pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")

NETWORKS = sorted(networks.NETWORKS)
KINDS = sorted(kinds.KINDS)
PAIRS = [
    (network, kind)
    for network in NETWORKS
    for kind in KINDS
    if network == "dense" or not kinds.KINDS[kind].dense_only
]
SHAPES = {"dense": (12,), "conv": (2, 7, 5), "sequence": (8, 2)}
# What is carried beside the code has to be learned from above before the code says much.
LATE = {"ladder": {"epochs": 90, "learning_rate": 0.03}}
USUAL = {"plain", "denoising", "variational"}
HIDDEN = {"dense": (16,), "conv": (4, 8), "sequence": (12,)}


def rows(network, n=48, seed=0):
    """Rows that three numbers describe; some sequences end early."""
    rng = np.random.default_rng(seed)
    shape = SHAPES.get(network, (6, 4))
    plane = rng.normal(size=(n, 3)) @ rng.normal(size=(3, math.prod(shape)))
    X = plane.reshape(n, *shape).astype(np.float32)
    if networks.NETWORKS[network].is_sequence:
        for row, length in zip(X, rng.integers(3, shape[0] + 1, n), strict=True):
            row[length:] = np.nan
    return X


def labels(kind, n):
    if not kinds.KINDS[kind].needs_labels:
        return None
    return np.where(np.arange(n) % 5 == 4, -1, np.arange(n) % 3)


def fit(network, kind, **options):
    defaults = {
        "hidden": HIDDEN.get(network, (8,)),
        "latent_dim": 3,
        "epochs": 2,
        "batch_size": 16,
        "network": network,
    }
    model = Autoencoder(kind, **(defaults | options))
    X = rows(network)
    return model.fit(X, labels(kind, len(X)))


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# Every kind and every network; `make test-all` runs the product of both.
SOME_PAIRS = [
    pytest.param(*pair, marks=[] if pair[0] == "dense" or pair[1] in USUAL else pytest.mark.long)
    for pair in PAIRS
]


@pytest.mark.parametrize(("network", "kind"), SOME_PAIRS)
def test_it_trains_saves_and_loads(network, kind, tmp_path):
    model, X = fit(network, kind, dropout=0.1), rows(network)
    z = model.transform(X)
    assert z.shape == (len(X), model.latent_dim_)
    assert np.isfinite(z).all()
    back = model.reconstruct(X)
    assert np.array_equal(np.isfinite(back), np.isfinite(X))
    assert np.isfinite(model.inverse_transform(z)).all()
    assert np.isfinite(model.score_samples(X)).all()
    assert all(math.isfinite(epoch.loss) for epoch in model.history_)

    folder = RunFolder(tmp_path / "run")
    folder.start({"status": "running"})
    save_models(folder, Models(model))
    loaded = load_models(folder).autoencoder
    assert equal(model.module_.state_dict(), loaded.module_.state_dict())
    for other in (loaded, copy.deepcopy(model)):
        assert np.array_equal(z, other.transform(X))
        assert np.array_equal(back, other.reconstruct(X), equal_nan=True)


@pytest.mark.parametrize(("network", "kind"), SOME_PAIRS)
def test_training_improves_reconstruction(network, kind):
    """Terms against one another need not fall in total; what they are for must."""
    how = {"epochs": 25, "learning_rate": 0.01, "linear_skip": False} | LATE.get(kind, {})
    model, X = fit(network, kind, **how), rows(network)
    untrained = clone(model).initialize(X, labels(kind, len(X)))
    assert model.score(X) > untrained.score(X)


def test_a_bounded_embedding_starts_wide_enough_to_be_learned():
    """With PyTorch's own weights it stays the same for every row for long."""
    X = load("digits").X
    options = {"latent_dim": 8, "epochs": 5, "latent_activation": "sigmoid"}
    spread = {
        initializer: Autoencoder("plain", initializer=initializer, **options)
        .fit(X)
        .embedding_scale_
        for initializer in ("auto", "default")
    }
    assert spread["auto"].max() > 0.2
    assert spread["default"].max() < 0.1


@pytest.mark.parametrize("network", NETWORKS)
def test_same_seed_same_weights_another_seed_others(network):
    first, again, other = (
        fit(network, "denoising", random_state=s).module_.state_dict() for s in (1, 1, 2)
    )
    assert equal(first, again)
    assert not equal(first, other)


@pytest.mark.parametrize("network", NETWORKS)
def test_resumed_equals_uninterrupted(network, tmp_path):
    from cuello.train import Callback

    def stop(epoch):
        if epoch.epoch == 1:
            raise InterruptedError

    def run(name, **more):
        model = Autoencoder(
            "denoising",
            network=network,
            hidden=HIDDEN.get(network, (8,)),
            latent_dim=3,
            epochs=4,
            batch_size=16,
            dropout=0.2,
        )
        return model.fit(rows(network), checkpoint=tmp_path / name, **more)

    whole = run("whole")
    with pytest.raises(InterruptedError):
        run("part", callbacks=Callback(on_epoch_end=stop))
    assert equal(whole.module_.state_dict(), run("part").module_.state_dict())


@pytest.mark.parametrize("network", NETWORKS)
def test_bf16_ends_near_float32(network):
    losses = [
        sum(
            fit(network, "plain", epochs=10, precision=p, linear_skip=False)
            .history_[-1]
            .train.values()
        )
        for p in ("float32", "bf16")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.parametrize("network", NETWORKS)
def test_own_options_are_plain_values(network):
    """So that a command line can offer them and a run folder keep them."""
    for option in networks.NETWORKS[network].options.values():
        assert option.help, option
        assert option.type in ("str", "int", "float", "bool"), option
        assert type(option.default).__name__ == option.type


@pytest.mark.parametrize("network", NETWORKS)
def test_the_summary_accounts_for_every_weight(network):
    module = fit(network, "plain").module_
    shape = SHAPES.get(network, (6, 4))
    whole = networks.total(networks.summarize(module.encoder, module.decoder, shape, 3))
    assert whole.parameters == sum(p.numel() for p in module.parameters())
    assert whole.output_shape == shape
    assert 0 < whole.multiply_adds <= networks.multiplications(module)


def tied_pairs(model):
    linears = [m for m in model.module_.encoder.modules() if isinstance(m, torch.nn.Linear)]
    tied = [m for m in model.module_.decoder.modules() if isinstance(m, TiedLinear)]
    return list(zip(linears, reversed(tied), strict=True))


def test_tied_weights_stay_tied(tmp_path):
    model = fit("dense", "plain", network_options={"tied": True})
    untrained = model.build_module(seed=0).encoder[0][1].weight
    assert not torch.equal(untrained, model.module_.encoder[0][1].weight)
    folder = RunFolder(tmp_path / "run")
    folder.start({"status": "running"})
    save_models(folder, Models(model))
    loaded = load_models(folder).autoencoder
    for one in (model, copy.deepcopy(model), loaded):
        assert len(tied_pairs(one)) == 2
        assert all(a.weight is b.weight for a, b in tied_pairs(one))
    assert np.array_equal(model.transform(rows("dense")), loaded.transform(rows("dense")))
