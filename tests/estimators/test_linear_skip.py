"""The default autoencoder starts as a PCA of its training samples, and ends no worse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from torch import nn

from cuello import Autoencoder
from cuello.kinds import KINDS, OUTPUTS
from cuello.networks import NETWORKS, LinearSkip, build_network, start_as_pca

TABLES = {"wine": load_wine, "breast cancer": load_breast_cancer}


def flat(X):
    return np.asarray(X, dtype=np.float64).reshape(len(X), -1)


def mean_error(X, back):
    return float(np.square(flat(X) - flat(back)).mean())


def divided(X):
    order = np.random.default_rng(0).permutation(len(X))
    cut = int(0.8 * len(X))
    return X[order[:cut]], X[order[cut:]]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("latent_dim", [2, 8])
def test_it_starts_as_pca_of_the_scaled_samples(name, latent_dim):
    X = TABLES[name]().data
    model = Autoencoder(latent_dim=latent_dim, validation_fraction=0.0).initialize(X)
    scaled = model.scaling_.apply(X)
    pca = PCA(latent_dim).fit(scaled)
    np.testing.assert_allclose(model.transform(X), pca.transform(scaled), atol=2e-4)
    back = pca.inverse_transform(pca.transform(scaled))
    np.testing.assert_allclose(model.scaling_.apply(model.reconstruct(X)), back, atol=2e-4)


@pytest.mark.parametrize("output", OUTPUTS)
def test_its_start_is_the_tangent_of_the_last_activation(output):
    rng = np.random.default_rng(0)
    activate = OUTPUTS[output].activate
    middle = float(activate(torch.zeros(())))
    X = middle + 1e-3 * (rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)))
    if output == "relu":
        X = X + 1.0  # its own tangent at 0 is level; above 0 it is the identity
    halves = build_network("dense", (6,), 2, 2, linear_skip=True, hidden=(4,))
    start_as_pca(*halves, PCA(2).fit(X), activate)
    encoder, decoder = halves
    back = activate(decoder(encoder(torch.as_tensor(X, dtype=torch.float32)))).detach().numpy()
    assert mean_error(X, back) < 1e-2 * X.var()


@pytest.mark.parametrize(
    ("latent_dim", "options"),
    [
        (2, {"epochs": 9}),
        (8, {"epochs": 15}),
        (32, {"kind": "plain", "epochs": 30}),
        pytest.param(32, {}, marks=pytest.mark.long),
    ],
)
def test_digits_are_reconstructed_no_worse_than_by_pca(latent_dim, options):
    train, test = divided(load_digits().images)
    pca = PCA(latent_dim, random_state=0).fit(flat(train))
    model = Autoencoder(latent_dim=latent_dim, **options).fit(train)
    error = mean_error(test, model.reconstruct(test))
    assert error < 1.05 * mean_error(test, pca.inverse_transform(pca.transform(flat(test))))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("latent_dim", [2, 8])
def test_tables_are_reconstructed_no_worse_than_by_pca(name, latent_dim):
    train, test = divided(TABLES[name]().data)
    model = Autoencoder(latent_dim=latent_dim, epochs=20, learning_rate=0.0003).fit(train)
    scaled = model.scaling_.apply(test)
    pca = PCA(latent_dim).fit(model.scaling_.apply(train))
    error = mean_error(scaled, model.scaling_.apply(model.reconstruct(test)))
    assert error < 1.05 * mean_error(scaled, pca.inverse_transform(pca.transform(scaled)))


def test_the_start_is_kept_where_training_makes_it_worse():
    train, _ = divided(load_wine().data)
    start = Autoencoder(latent_dim=8).initialize(train)
    model = Autoencoder(latent_dim=8, epochs=3, learning_rate=1.0).fit(train)
    assert min(epoch.loss for epoch in model.history_) > 2 * -start.score(train)
    everything = Autoencoder(latent_dim=8, validation_fraction=0.0).initialize(train)
    scaled = model.scaling_.apply(train)
    pca = PCA(8).fit(scaled)  # of the samples that were held out, too
    np.testing.assert_allclose(model.transform(train), pca.transform(scaled), atol=2e-4)
    assert model.score(train) == pytest.approx(everything.score(train), rel=0.1)
    held_out = train[::5]
    same = Autoencoder(latent_dim=8, epochs=3, learning_rate=1.0).fit(train, validation=held_out)
    np.testing.assert_array_equal(same.transform(train), everything.transform(train))


def skips(**options):
    X = np.random.default_rng(0).normal(size=(40, 4, 4))
    module = Autoencoder(**{"hidden": (8,), "latent_dim": 2} | options).initialize(X).module_
    assert isinstance(module.encoder, LinearSkip) == isinstance(module.decoder, LinearSkip)
    return isinstance(module.encoder, LinearSkip)


def test_it_is_there_where_a_kind_only_reconstructs():
    assert {kind for kind in KINDS if KINDS[kind].linear_skip} == {"plain", "denoising"}
    for options in ({}, {"kind": "denoising"}, {"network": "conv"}):
        assert skips(**options)
        assert not skips(**options, linear_skip=False)
    for options in ({"kind": "variational"}, {"latent_activation": "tanh"}):
        assert not skips(**options)
        assert skips(**options, linear_skip=True)
    assert not skips(hidden=())
    assert not skips(network_options={"tied": True})


def test_modules_of_ones_own_keep_their_weights():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    decoder = nn.Sequential(nn.Linear(2, 16), nn.Unflatten(1, (4, 4)))
    assert not skips(encoder=encoder, decoder=decoder, latent_dim="auto")


@pytest.mark.parametrize("network", [name for name in NETWORKS if not NETWORKS[name].is_sequence])
def test_the_layers_beside_it_learn_what_it_cannot(network):
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 400)
    X = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], axis=1)
    X = X.reshape(-1, 2, 2)
    options = {"network": network, "hidden": (16,), "latent_dim": 1, "scaling": "standard"}
    start = Autoencoder(**options).initialize(X)
    model = Autoencoder(**options, epochs=60, learning_rate=0.01).fit(X)
    assert model.score(X) > 0.5 * start.score(X)


def test_far_outside_the_training_samples_of_a_table_the_linear_layers_decide():
    rng = np.random.default_rng(0)
    angle = np.outer(rng.uniform(0, np.pi, 400), [1, 2])
    X = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    model = Autoencoder(latent_dim=1, hidden=(16,), epochs=60, learning_rate=0.01).fit(X)
    assert not model.module_.encoder.is_linear
    scaled = np.ones((3, 4)) * [[50.0], [100.0], [200.0]]
    first, second = np.diff(model.transform(model.scaling_.invert(scaled)), axis=0)
    weight = model.module_.encoder.linear.weight.detach().numpy()
    np.testing.assert_allclose(first, 50.0 * weight.sum(axis=1), rtol=1e-3)
    np.testing.assert_allclose(second, 2 * first, rtol=1e-3)
