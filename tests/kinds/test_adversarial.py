"""Two optimizers that leave no trace on one another, and what they do to codes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from cuello import Autoencoder, InputError
from cuello.kinds import Batch
from cuello.kinds.adversarial import frozen
from cuello.train import Rows, TrainingConfig, train


def rows(n=32, columns=10, seed=0):
    """Rows on a bent sheet of three dimensions."""
    rng = np.random.default_rng(seed)
    bent = np.tanh(rng.normal(size=(n, 3)) @ rng.normal(size=(3, columns)))
    return (bent + 0.02 * rng.normal(size=bent.shape)).astype(np.float32)


def model(X, **chosen):
    options = {"hidden": (16,), "latent_dim": 3, "batch_norm": True}
    return Autoencoder("adversarial", **(options | chosen)).initialize(X)


def half(module, optimizer):
    """Weights and buffers of one optimizer."""
    is_critic = optimizer == "critic"
    state = module.state_dict()
    return {k: v.clone() for k, v in state.items() if k.startswith("critic") == is_critic}


def step(module, optimizer, x):
    """Take one step; return the parameters that got a gradient."""
    module.zero_grad()
    descent = torch.optim.SGD(module.optimizers()[optimizer], lr=0.1)
    sum(module.losses(Batch(x), optimizer).values()).backward()
    descent.step()
    return {name for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("optimizer", ["autoencoder", "critic"])
def test_a_step_of_one_optimizer_does_not_touch_the_other(optimizer):
    other = {"autoencoder": "critic", "critic": "autoencoder"}[optimizer]
    module, x = model(rows()).module_.train(), torch.from_numpy(rows())
    trained, others = half(module, optimizer), half(module, other)
    with_gradient = step(module, optimizer, x)
    assert all(torch.equal(was, half(module, other)[name]) for name, was in others.items())
    assert not all(torch.equal(was, half(module, optimizer)[name]) for name, was in trained.items())
    names = {n for n, _ in module.named_parameters()}
    assert with_gradient == {n for n in names if n.startswith("critic") == (optimizer == "critic")}
    assert all(p.requires_grad for p in module.parameters())


@pytest.mark.parametrize("tied", [False, True])
def test_every_parameter_belongs_to_exactly_one_optimizer(tied):
    module = model(rows(), network_options={"tied": tied}).module_
    owned = [p for groups in module.optimizers().values() for g in groups for p in g["params"]]
    assert len(owned) == len(set(owned))
    assert set(owned) == set(module.parameters())


def test_frozen_is_undone_after_an_error():
    layer = nn.BatchNorm1d(2)
    layer.bias.requires_grad_(False)
    before = {k: v.clone() for k, v in layer.state_dict().items()}

    def fail():
        with frozen(layer):
            layer(torch.ones(4, 2))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert all(torch.equal(v, before[k]) for k, v in layer.state_dict().items())
    assert layer.weight.requires_grad
    assert not layer.bias.requires_grad  # somebody else had frozen it


def test_losses_are_their_formulas():
    module, x = model(rows(), kind_options={"weight": 0.5}).module_.eval(), torch.from_numpy(rows())
    z = module.encode(x)
    torch.manual_seed(0)
    critic = module.losses(Batch(x), "critic")["critic"]
    torch.manual_seed(0)
    fake, real = module.critic(z), module.critic(torch.randn(z.shape))
    ones = torch.ones_like(fake)
    truth = torch.cat([0 * ones, ones])
    expected = binary_cross_entropy_with_logits(torch.cat([fake, real]), truth)
    torch.testing.assert_close(critic, expected)
    terms = module.losses(Batch(x), "autoencoder")
    fooled = binary_cross_entropy_with_logits(fake, ones)
    torch.testing.assert_close(terms["adversarial"], 0.5 * fooled)
    plain = module.reconstruction(module.decoder(z), x)
    torch.testing.assert_close(terms["reconstruction"], plain)
    assert module.held_out_losses(Batch(x)).keys() == {"reconstruction"}
    torch.testing.assert_close(module.held_out_losses(Batch(x))["reconstruction"], plain)


def test_critic_has_a_learning_rate_of_its_own():
    scaled, x = model(rows(), kind_options={"critic_lr_scale": 4.0}).module_, rows()
    same = model(rows()).module_
    how = TrainingConfig(
        epochs=1, batch_size=32, optimizer="sgd", momentum=0.0, schedule="constant"
    )
    moved = []
    for module in (same, scaled):
        before = [p.detach().clone() for p in module.critic.parameters()]
        train(module, Rows(torch.from_numpy(x)), how)
        after = list(module.critic.parameters())
        moved.append(torch.cat([(b - a).flatten() for a, b in zip(before, after, strict=True)]))
    torch.testing.assert_close(moved[1], 4.0 * moved[0], rtol=1e-3, atol=1e-6)


def test_embeddings_come_nearer_to_the_prior():
    X = rows(512)
    options = {"hidden": (32,), "latent_dim": 3, "epochs": 50, "learning_rate": 0.005}
    apart = {}
    for kind, chosen in (("plain", {}), ("adversarial", {"weight": 0.1})):
        fitted = Autoencoder(kind, kind_options=chosen, **options, batch_size=64).fit(X)
        z = fitted.transform(X)
        apart[kind] = np.abs(z.mean(axis=0)).max(), np.abs(np.cov(z.T) - np.eye(3)).max()
    assert apart["adversarial"][0] < min(0.2, 0.5 * apart["plain"][0])
    assert apart["adversarial"][1] < min(0.4, 0.3 * apart["plain"][1])
    assert fitted.diagnosis_.findings == []
    assert 0.3 < fitted.diagnosis_.statistics["critic_accuracy"] < 0.8


def test_accuracy_and_findings():
    module = model(rows(200)).module_
    x = torch.from_numpy(rows(200))
    codes = {"far": torch.full((200, 3), 9.0), "near": torch.randn(200, 3)}
    for name, z in codes.items():
        module.encode = lambda x, z=z: z
        module.critic = nn.Sequential(nn.Linear(3, 1))  # takes small codes for real
        with torch.no_grad():
            module.critic[0].weight.fill_(-1.0)
            module.critic[0].bias.fill_(9.0)
        diagnosis = module.diagnose(x)
        assert math.isclose(diagnosis.statistics["critic_accuracy"], 1.0 if name == "far" else 0.5)
        assert len(diagnosis.findings) == (2 if name == "far" else 0)
    module.encode = lambda x: codes["far"]
    law, critic = module.diagnose(x).findings
    assert "3 of 3 latent dimensions are far from the prior" in law
    assert "100.0 %" in critic
    assert "lower the kind's critic_lr_scale (now 1)" in critic


@pytest.mark.parametrize(
    ("option", "value"),
    [("weight", -1.0), ("weight", math.nan), ("critic_hidden", 0), ("critic_lr_scale", 0.0)],
)
def test_wrong_options_are_refused(option, value):
    with pytest.raises(InputError, match=f"{option}={value}.*use {option}="):
        model(rows(), kind_options={option: value})
