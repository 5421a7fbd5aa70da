"""Networks: shapes, formulas of batch norm and dropout, initial weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cuello import Autoencoder, InputError, networks
from cuello.networks import ACTIVATIONS, INITIALIZERS


@settings(deadline=None, max_examples=40)
@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    latent=st.integers(1, 5),
    extra=st.integers(0, 5),
    hidden=st.lists(st.integers(1, 9), max_size=3),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    initializer=st.sampled_from(sorted(INITIALIZERS)),
    batch_norm=st.booleans(),
)
def test_shapes(shape, latent, extra, hidden, activation, initializer, batch_norm):
    encoder, decoder = networks.build_network(
        "dense",
        shape,
        latent,
        latent + extra,
        hidden=hidden,
        activation=activation,
        initializer=initializer,
        batch_norm=batch_norm,
        dropout=0.2,
    )
    x = torch.rand(3, *shape)
    assert encoder(x).shape == (3, latent + extra)
    assert decoder(torch.rand(3, latent)).shape == x.shape


def linears(network):
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


def test_decoder_mirrors_the_encoder():
    encoder, decoder = networks.build_network("dense", (35,), 2, 2, hidden=(20, 10))
    assert [(m.in_features, m.out_features) for m in linears(encoder)] == [
        (35, 20),
        (20, 10),
        (10, 2),
    ]
    assert [(m.in_features, m.out_features) for m in linears(decoder)] == [
        (2, 10),
        (10, 20),
        (20, 35),
    ]


def test_last_layers_are_plain():
    encoder, decoder = networks.build_network(
        "dense", (9,), 2, 2, hidden=(4,), batch_norm=True, dropout=0.5
    )
    assert [type(layer) for layer in encoder[-1]] == [nn.Linear, nn.Identity]
    assert [type(layer) for layer in decoder[-1]] == [nn.Linear, nn.Unflatten]


def test_every_hidden_layer_is_normalized_then_activated_then_dropped_out():
    encoder, decoder = networks.build_network(
        "dense", (9,), 2, 2, hidden=(5, 4), activation="tanh", batch_norm=True, dropout=0.5
    )
    hidden = [nn.Linear, nn.BatchNorm1d, nn.Tanh, nn.Dropout]
    first, second, last = ([type(layer) for layer in block] for block in encoder)
    assert (first, second, last) == ([nn.Flatten, *hidden], hidden, [nn.Linear, nn.Identity])
    first, second, last = ([type(layer) for layer in block] for block in decoder)
    assert (first, second, last) == (hidden, hidden, [nn.Linear, nn.Unflatten])


def test_activations_are_their_formulas():
    a = torch.linspace(-3, 3, 25, dtype=torch.float64)
    expected = {
        "elu": a.where(a > 0, a.exp() - 1),
        "gelu": a * 0.5 * (1 + torch.erf(a / math.sqrt(2))),
        "identity": a,
        "leaky_relu": a.where(a > 0, 0.1 * a),
        "relu": a.where(a > 0, 0.0),
        "sigmoid": 1 / (1 + (-a).exp()),
        "silu": a / (1 + (-a).exp()),
        "softplus": (1 + a.exp()).log(),
        "tanh": (a.exp() - (-a).exp()) / (a.exp() + (-a).exp()),
    }
    assert expected.keys() == ACTIVATIONS.keys()
    for name, value in expected.items():
        torch.testing.assert_close(ACTIVATIONS[name]()(a), value)


def test_the_initializer_reaches_every_layer():
    halves = networks.build_network("dense", (12,), 3, 3, hidden=(9, 6), initializer="orthogonal")
    for layer in [layer for half in halves for layer in linears(half)]:
        narrow = layer.weight if len(layer.weight) <= layer.in_features else layer.weight.T
        torch.testing.assert_close(narrow @ narrow.T, torch.eye(len(narrow)), atol=1e-5, rtol=0)
        assert (layer.bias == 0).all()


def test_batch_norm_is_its_formula_and_can_undo_itself():
    encoder, _ = networks.build_network("dense", (5,), 2, 2, hidden=(4,), batch_norm=True)
    norm = next(m for m in encoder.modules() if isinstance(m, nn.BatchNorm1d)).train()
    torch.manual_seed(0)
    h = 3.0 * torch.randn(50, 4) + 2.0
    mean, variance = h.mean(0), h.var(0, unbiased=False)
    torch.testing.assert_close(norm(h), (h - mean) / (variance + norm.eps).sqrt())
    with torch.no_grad():
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean)
    torch.testing.assert_close(norm(h), h)


def test_dropout_preserves_the_mean():
    encoder, _ = networks.build_network("dense", (5,), 2, 2, hidden=(4,), dropout=0.3)
    drop = next(m for m in encoder.modules() if isinstance(m, nn.Dropout)).train()
    torch.manual_seed(0)
    out = drop(torch.ones(200_000))
    assert out.mean().item() == pytest.approx(1.0, abs=0.01)
    assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    ("name", "sd"),
    [
        ("default", 1 / math.sqrt(3 * 400)),
        ("he_normal", math.sqrt(2 / 400)),
        ("he_uniform", math.sqrt(2 / 400)),
        ("xavier_normal", math.sqrt(2 / 700)),
        ("xavier_uniform", math.sqrt(2 / 700)),
        ("orthogonal", 1 / math.sqrt(400)),
        ("uniform", 1 / math.sqrt(3)),
    ],
)
def test_initial_weights_have_the_spread_of_their_formula(name, sd):
    torch.manual_seed(0)
    encoder, _ = networks.build_network("dense", (400,), 300, 300, hidden=(), initializer=name)
    layer = linears(encoder)[0]
    assert layer.weight.std().item() == pytest.approx(sd, rel=0.02)
    assert set(INITIALIZERS) >= {name}
    flat = name in ("default", "he_uniform", "xavier_uniform", "uniform")
    # A uniform distribution ends at sqrt(3) standard deviations; the others go on.
    assert (layer.weight.abs().max().item() <= 1.0001 * math.sqrt(3) * sd) == flat
    if name == "uniform":
        assert layer.bias.std().item() == pytest.approx(sd, rel=0.1)
    elif name != "default":
        assert (layer.bias == 0).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"initializer": "hee"}, "Allowed: "),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"dropout": -0.1}, "dropout=-0.1"),
        ({"hidden": (4, 0)}, "widths of 1 or more"),
    ],
)
def test_wrong_options_are_refused(options, text):
    with pytest.raises(InputError) as error:
        networks.build_network("dense", (6,), 2, 2, **options)
    assert text in str(error.value)
    with pytest.raises(InputError, match="did you mean 'dense'"):
        networks.build_network("dens", (6,), 2, 2)


@pytest.mark.parametrize(
    ("alias", "network", "options"),
    [
        ("mlp", "dense", {}),
        ("cnn", "conv", {}),
        ("gru", "sequence", {"cell": "gru"}),
        ("lstm", "sequence", {"cell": "lstm"}),
    ],
)
def test_an_alias_is_the_network_with_the_options_it_implies(alias, network, options):
    X = np.random.default_rng(0).random((20, 6, 5), dtype=np.float32)
    common = {"latent_dim": 2, "epochs": 1}
    one = Autoencoder("plain", network=alias, **common).fit(X)
    other = Autoencoder("plain", network=network, network_options=options, **common).fit(X)
    assert np.array_equal(one.transform(X), other.transform(X))
    assert isinstance(networks.ACTIVATIONS["swish"](), torch.nn.SiLU)
