"""The sparse autoencoder: what its penalties are, what they do, and what it says about latents."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.distributions import Bernoulli, kl_divergence

from cuello import Autoencoder, CuelloWarning, InputError, kinds
from cuello.kinds import Batch
from cuello.kinds.sparse import PENALTIES


def built(encoder=None, shape=(6,), reduction="mean", **options):
    encoder = encoder or nn.Sequential(nn.Linear(6, 4), nn.Sigmoid())
    reconstruction = kinds.ReconstructionLoss(reduction=reduction, loss="mse", output="identity")
    parts = kinds.Parts(
        encoder=encoder,
        decoder=nn.Linear(4, 6),
        reconstruction=reconstruction,
        shape=shape,
        latent_dim=4,
    )
    return kinds.build_module("sparse", parts, **options)


def fit_digits(initializer="auto", **options):
    model = Autoencoder(
        "sparse",
        kind_options=options,
        hidden=(64,),
        latent_dim=16,
        learning_rate=0.01,
        epochs=40,
        initializer=initializer,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CuelloWarning)
        return model.fit(load_digits().images)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_kl_is_that_of_torch_distributions(rate):
    z = torch.rand(50, 7, dtype=torch.float64)
    expected = kl_divergence(Bernoulli(torch.tensor(rate).double()), Bernoulli(z.mean(0))).mean()
    torch.testing.assert_close(PENALTIES["kl"](z, rate), expected, rtol=1e-6, atol=1e-9)
    assert PENALTIES["kl"](torch.full((3, 2), rate), rate).abs() < 1e-6


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_kl_of_a_latent_that_never_moves_is_finite(mean):
    z = torch.full((3, 2), mean, requires_grad=True)
    PENALTIES["kl"](z, 0.05).backward()
    assert z.grad.isfinite().all()


def test_l1_is_the_mean_size():
    assert PENALTIES["l1"](torch.tensor([[1.0, -2.0], [0.0, 3.0]]), 0.05) == 1.5


@pytest.mark.parametrize("penalty", ["l1", "kl"])
def test_a_weight_means_the_same_for_mean_and_sum(penalty):
    batch = Batch(torch.rand(8, 6))
    encoder = nn.Sequential(nn.Linear(6, 4), nn.Sigmoid())
    by_mean = built(encoder, penalty=penalty)
    by_sum = built(encoder, penalty=penalty, reduction="sum")
    by_sum.decoder = by_mean.decoder
    small, large = (model.losses(batch, "autoencoder") for model in (by_mean, by_sum))
    for name in ("reconstruction", "sparsity"):
        torch.testing.assert_close(6 * small[name], large[name])


@pytest.mark.parametrize("penalty", ["l1", "kl"])
def test_the_default_weight_makes_digits_sparse_and_still_reconstructs_them(penalty):
    free, sparse = (
        fit_digits("default", penalty=penalty, **more) for more in ({"weight": 0.0}, {})
    )
    before, after = (model.diagnosis_.statistics for model in (free, sparse))
    assert after["mean_activation"] < 0.7 * before["mean_activation"]
    assert after["share_active"] < 0.9 * before["share_active"]
    X = load_digits().images
    assert -sparse.score(X) < 1.3 * -free.score(X)


def test_kl_brings_the_mean_activation_to_the_rate():
    model = fit_digits(penalty="kl", weight=1.0, rate=0.2)
    assert model.diagnosis_.statistics["mean_activation"] == pytest.approx(0.2, abs=0.03)


class Routed(nn.Module):
    """An encoder whose last layer in the list is not the last in use."""

    def __init__(self, last):
        super().__init__()
        self.last, self.linear = last, nn.Linear(6, 4)

    def forward(self, x):
        return self.last(self.linear(x))


@pytest.mark.parametrize("outer", [nn.Identity(), nn.ReLU(), nn.Tanh(), nn.Softplus()])
@pytest.mark.parametrize("make", [lambda f: nn.Sequential(nn.Linear(6, 4), f), Routed])
def test_kl_refuses_embeddings_outside_0_to_1(outer, make):
    with pytest.raises(InputError, match=r"penalty='kl' needs .* in 0..1.*latent_activation"):
        built(make(outer), penalty="kl")
    built(make(outer), penalty="l1")


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.Softmax(dim=1), nn.Hardsigmoid()])
def test_kl_takes_any_embedding_in_0_to_1_and_leaves_the_encoder_as_it_was(last):
    encoder = nn.Sequential(nn.BatchNorm1d(6), Routed(last)).train()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    following = []
    for penalty in ("l1", "kl"):
        torch.manual_seed(3)
        built(encoder, penalty=penalty)
        following.append(torch.rand(1))
    assert torch.equal(*following)  # trying the encoder draws nothing that others would draw
    assert encoder.training
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


@pytest.mark.parametrize(
    ("option", "value", "way_out"),
    [
        ("penalty", "l2", "Allowed: kl, l1"),
        ("weight", -0.1, "0 or more"),
        ("weight", math.nan, "0 or more"),
        ("weight", math.inf, "0 or more"),
        ("rate", 0.0, "use rate=0.05"),
        ("rate", 1.0, "use rate=0.05"),
    ],
)
def test_wrong_options_are_refused(option, value, way_out):
    with pytest.raises(InputError, match=f"{option}=") as error:
        built(**{option: value})
    assert way_out in str(error.value)


def test_diagnosis_counts_by_hand():
    model = built(nn.Identity())
    z = torch.tensor([[2.0, 0.0, 0.08, -1.0], [0.0, 0.0, 0.0, 0.02]])
    statistics, findings = model.diagnose(z)
    assert statistics["mean_activation"] == pytest.approx(3.1 / 8)
    assert statistics["share_active"] == 2 / 8  # 2 and -1; the others are below 0.05 of 2
    assert statistics["dead_latents"] == 2
    assert findings == [
        "2 of 4 latent dimensions are never active (number 1, 2, from 0): they carry nothing; use "
        "a smaller weight, more epochs, or fewer dimensions."
    ]


def test_an_embedding_of_zeros_is_dead_and_a_lively_one_is_not():
    model = built(nn.Identity())
    assert model.diagnose(torch.zeros(5, 4)).statistics["dead_latents"] == 4
    assert model.diagnose(torch.eye(4)) == (
        {"mean_activation": 0.25, "share_active": 0.25, "dead_latents": 0.0},
        [],
    )


def test_fit_warns_of_dead_latents():
    X = np.random.default_rng(0).random((64, 12), dtype=np.float32)
    options = {"weight": 10.0}
    with (
        pytest.warns(CuelloWarning, match="every sample has the same embedding"),
        pytest.warns(CuelloWarning, match="never active"),
    ):
        Autoencoder(
            "sparse",
            kind_options=options,
            hidden=(),
            latent_dim=6,
            latent_activation="relu",
            learning_rate=0.05,
            epochs=60,
        ).fit(X)
