"""The head's own layers, and rates of the encoder by depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn

from cuello import Autoencoder, FewLabelClassifier
from cuello.few_label import FewLabelOptions, Multiclass
from cuello.few_label.methods.fine_tuning import EncoderWithHead
from cuello.train import Rows, TrainingConfig, train

DEEP = Autoencoder(
    "plain",
    hidden=(7, 5),
    latent_dim=3,
    linear_skip=False,
    epochs=3,
    batch_norm=True,
    dropout=0.2,
    batch_size=32,
)


def clouds(n=60):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return (rng.normal(size=(3, 8))[y] + 0.5 * rng.normal(size=(n, 8))).astype(np.float32), y


@pytest.fixture(scope="module")
def trained():
    return clone(DEEP).fit(clouds()[0])


def with_head(trained, encoder_lr_factor=1.0, **options):
    return EncoderWithHead(
        trained.module_,
        Multiclass(3),
        trained.embedding_mean_,
        trained.embedding_scale_,
        FewLabelOptions(**options),
        encoder_lr_factor=encoder_lr_factor,
    )


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        ({}, [nn.Linear]),
        ({"dropout": 0.5}, [nn.Dropout, nn.Linear]),
        ({"batch_norm": True}, [nn.BatchNorm1d, nn.Linear]),
        (
            {"head_hidden": 6, "batch_norm": True, "dropout": 0.5},
            [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout, nn.Linear],
        ),
    ],
)
def test_layers_of_the_head(trained, options, layers):
    head = with_head(trained, **options).head
    found = list(head) if isinstance(head, nn.Sequential) else [head]
    assert [type(layer) for layer in found] == layers
    assert found[-1].out_features == 3
    assert {layer.p for layer in found if isinstance(layer, nn.Dropout)} <= {0.5}


@pytest.mark.parametrize("decay", [1.0, 0.4])
def test_each_block_learns_at_its_share_of_the_rate_of_the_next(trained, decay):
    check_rates(with_head(trained, encoder_lr_factor=0.5, layer_decay=decay), trained, decay, "")


@pytest.mark.parametrize("decay", [1.0, 0.4])
def test_a_linear_skip_learns_at_the_rate_of_the_last_block(decay):
    X, _ = clouds()
    skipped = clone(DEEP).set_params(linear_skip=True).fit(X)
    torch.nn.init.uniform_(skipped.module_.encoder.path[2][0].weight)  # 0 until it is trained
    network = with_head(skipped, encoder_lr_factor=0.5, layer_decay=decay)
    check_rates(network, skipped, decay, "path.", {"body.encoder.linear": 0.01 * 0.5})


def check_rates(network, trained, decay, within, others=None):
    """Check how far the first step moves the weights of each block."""
    X, y = clouds()
    before = {name: p.clone() for name, p in network.named_parameters()}
    rows = Rows(torch.from_numpy(trained.scaling_.apply(X)), torch.from_numpy(y))
    how = TrainingConfig(optimizer="adam", learning_rate=0.01, epochs=1, batch_size=60)
    train(network, rows, how)
    rates = {"head": 0.01}  # the first step of Adam moves every weight by the rate itself
    rates |= {f"body.encoder.{within}{i}": 0.01 * 0.5 * decay ** (2 - i) for i in range(3)}
    rates |= others or {}
    for prefix, rate in rates.items():
        moved = [
            float((p - before[name]).detach().abs().max())
            for name, p in network.named_parameters()
            if name.startswith(f"{prefix}.")
        ]
        assert max(moved) == pytest.approx(rate, rel=2e-2), prefix


@pytest.mark.parametrize("option", [{"head_hidden": 6}, {"batch_norm": True}, {"dropout": 0.3}])
def test_a_frozen_encoder_stays_as_it_is_below_any_head(trained, option):
    X, y = clouds()
    model = FewLabelClassifier(
        FrozenEstimator(trained), method="linear_probe", learning_rates=(0.03,), epochs=20, **option
    ).fit(X, y)
    kept = trained.module_.encoder.state_dict()
    for name, value in model.module_.body.encoder.state_dict().items():
        assert torch.equal(value, kept[name]), name  # statistics of batches among them
    assert model.chosen_ == 0.03
    assert model.score(X, y) > 0.55
