"""The contractive autoencoder: its norm against the Jacobian, exact and estimated."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

from cuello import Autoencoder, InputError, kinds, networks
from cuello.kinds import Batch


def built(hidden=(), latent_activation="sigmoid", reduction="mean", activation="tanh", **more):
    options = {name: more.pop(name) for name in ("weight",) if name in more}
    torch.manual_seed(0)
    encoder, decoder = networks.build_network(
        "dense",
        (2, 3),
        4,
        4,
        hidden=hidden,
        latent_activation=latent_activation,
        activation=activation,
        **more,
    )
    parts = kinds.Parts(
        encoder=encoder,
        decoder=decoder,
        reconstruction=kinds.ReconstructionLoss(reduction=reduction, loss="mse", output="identity"),
        shape=(2, 3),
        latent_dim=4,
    )
    return kinds.build_module("contractive", parts, **options).double()


def rows(n=5):
    return torch.randn(n, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def squared_norm(model, x):
    """Oracle: the mean over rows of the squared norm of each row's whole Jacobian."""
    each = [jacobian(model.encoder, row[None]).square().sum() for row in x]
    return torch.stack(each).mean()


@pytest.mark.parametrize("latent_activation", ["sigmoid", "tanh", "identity"])
def test_one_layer_is_exact(latent_activation):
    model, x = built(latent_activation=latent_activation), rows()
    torch.manual_seed(0)
    z, norm = model.encode_with_norm(x)
    assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(norm, squared_norm(model, x), rtol=1e-12, atol=0)
    assert torch.equal(z, model.encode(x))


class Doubled(nn.Module):
    """One layer and an activation, but not one after the other."""

    def __init__(self):
        super().__init__()
        self.linear, self.activation = nn.Linear(6, 4), nn.Sigmoid()

    def forward(self, x):
        a = self.linear(x.flatten(1))
        return self.activation(2 * a) + a


def encoders():
    yield built(hidden=(7,)).encoder
    yield built(latent_activation="softplus").encoder
    yield built(hidden=(7, 5), activation="relu", batch_norm=True).encoder
    yield Doubled().double()


@pytest.mark.parametrize("place", range(4))
def test_the_estimate_is_right_on_average(place):
    model, x = built(), rows()
    model.encoder = list(encoders())[place]
    model.eval()
    torch.manual_seed(0)
    with torch.no_grad():
        # Each of the 50 is itself of 30 copies of the rows.
        copies = x.repeat(30, 1, 1)
        draws = torch.stack([model.encode_with_norm(copies)[1] for _ in range(50)])
    assert draws.std() > 0
    error = draws.std() / math.sqrt(len(draws))
    assert abs(draws.mean() - squared_norm(model, x)) < 3 * error


def test_the_estimate_of_one_latent_is_exact():
    """Its only v is 1 or -1, and squares do not tell them apart."""
    model, x = built(), rows()
    model.encoder = nn.Sequential(
        nn.Flatten(), nn.Linear(6, 3), nn.GELU(), nn.Linear(3, 1)
    ).double()
    torch.testing.assert_close(model.encode_with_norm(x)[1], squared_norm(model, x))


@pytest.mark.parametrize("hidden", [(), (7,)])
def test_gradient_agrees_with_finite_differences_in_double_precision(hidden):
    """The penalty alone, which is not summed in float32."""
    model, x = built(hidden=hidden), rows()
    owned = dict(model.encoder.named_parameters())

    def penalty(*values):
        torch.manual_seed(0)
        weights = {f"encoder.{name}": v for name, v in zip(owned, values, strict=True)}
        return torch.func.functional_call(Norm(model), {f"m.{k}": v for k, v in weights.items()}, x)

    class Norm(nn.Module):
        def __init__(self, m):
            super().__init__()
            self.m = m

        def forward(self, x):
            return self.m.encode_with_norm(x)[1]

    assert torch.autograd.gradcheck(penalty, tuple(owned.values()))


@pytest.mark.parametrize("hidden", [(), (7,)])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_without_gradients_the_terms_are_the_same_and_keep_no_graph(hidden, precision):
    model, x = built(hidden=hidden).float().eval(), rows().float()

    def terms():
        torch.manual_seed(0)
        with torch.autocast("cpu", precision, enabled=precision is torch.bfloat16):
            return model.losses(Batch(x), "autoencoder")

    learning = terms()
    assert all(term.requires_grad for term in learning.values())
    with torch.no_grad():
        held_out = terms()
        assert not torch.is_grad_enabled()
        assert not any(t.requires_grad for t in model.encode_with_norm(x))
    assert not any(term.requires_grad for term in held_out.values())
    assert not x.requires_grad
    for name, term in learning.items():
        assert term.dtype == torch.float32
        torch.testing.assert_close(held_out[name], term.detach(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("hidden", [(), (7,)])
def test_bfloat16_is_near(hidden):
    model, x = built(hidden=hidden).float(), rows(64).float()
    norms = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            norms.append(model.encode_with_norm(x)[1])
    torch.testing.assert_close(norms[0], norms[1], rtol=0.01, atol=0)


def test_a_weight_means_the_same_for_mean_and_sum():
    small, large = (
        built(hidden=(7,), reduction=reduction, weight=0.3).eval() for reduction in ("mean", "sum")
    )
    terms = []
    for model in (small, large):
        torch.manual_seed(0)
        terms.append(model.losses(Batch(rows()), "autoencoder"))
    for name in ("reconstruction", "contraction"):
        torch.testing.assert_close(6 * terms[0][name], terms[1][name])


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_a_higher_price_makes_a_flatter_encoder(hidden):
    X = torch.randn(200, 2, 3, generator=torch.Generator().manual_seed(2)).numpy()
    options = {"hidden": hidden, "latent_dim": 4, "epochs": 40, "learning_rate": 0.01}
    options |= {"initializer": "default"}
    norms = []
    for weight in (0.0, 0.001, 0.1):
        model = Autoencoder("contractive", kind_options={"weight": weight}, **options).fit(X)
        x = torch.from_numpy(model.scaling_.apply(X[:50]))
        norms.append(float(squared_norm(model.module_, x)))
    assert norms[0] > norms[1] > 5 * norms[2]


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_wrong_weights_are_refused(weight):
    with pytest.raises(InputError, match=r"weight=.* must be .*0 or more; use weight=0.001"):
        built(weight=weight)
