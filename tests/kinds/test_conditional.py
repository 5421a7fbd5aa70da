"""The conditional kind: classes known, unknown, and asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import distributions, nn

from cuello import Autoencoder, InputError, kinds
from cuello.kinds import Batch, Parts, ReconstructionLoss

X_FIT = ReconstructionLoss(loss="mse", low=-3.0, high=3.0)


def linear(classes=3, **options):
    """One linear layer each way; 4 features, 2 latents."""
    torch.manual_seed(3)
    encoder, decoder = nn.Linear(4, 4), nn.Linear(2 + classes, 4)
    nn.init.normal_(encoder.weight, std=0.1)
    nn.init.constant_(encoder.bias, 0.2)
    nn.init.normal_(decoder.weight, std=0.7)
    parts = Parts(
        encoder=encoder,
        decoder=decoder,
        reconstruction=X_FIT,
        shape=(4,),
        latent_dim=2,
        classes=classes,
    )
    return kinds.build_module("conditional", parts, **options).double().eval()


def rows(n=6):
    return torch.from_numpy(np.random.default_rng(0).normal(size=(n, 4)))


def clusters(n=600, seed=0):
    """The first three features tell the class; the others vary alike in all, along a plane."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    plane = rng.normal(size=(n, 2)) @ np.array([[2.0, -1.0, 1.0], [0.0, 1.0, 2.0]])
    return np.hstack([4.0 * np.eye(3)[y], plane]) + 0.3 * rng.normal(size=(n, 6)), y


@pytest.fixture(scope="module")
def fitted():
    X, y = clusters()
    y[::10] = -1
    return Autoencoder(
        "conditional", hidden=(), latent_dim=2, epochs=75, learning_rate=0.04, scaling="none"
    ).fit(X, y)


def exact(module, x, c):
    """log p(x | class): Gaussian, because the decoder is linear."""
    weight, bias = module.decoder.weight[:, :2], module.decoder.bias
    noise = module.likelihood.log_variance.exp() * torch.eye(4)
    center = bias + module.decoder.weight[:, 2 + c]
    return distributions.MultivariateNormal(center, weight @ weight.T + noise).log_prob(x)


def test_the_decoder_sees_the_class_or_the_frequencies():
    module, z = linear(), rows(3)[:, :2]
    module.class_counts[:] = torch.tensor([5, 3, 2])
    condition = torch.tensor([[0.0, 0.0, 1.0], [0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    expected = module.decoder(torch.cat([z, condition.double()], dim=1))
    torch.testing.assert_close(
        module.decode(z, torch.tensor([2, -1, 0])), expected, atol=1e-7, rtol=0
    )
    torch.testing.assert_close(module.decode(z)[1], expected[1], atol=1e-7, rtol=0)


def test_training_counts_the_labelled_rows_only():
    module, y = linear().train(), torch.tensor([0, 0, 2, -1, -1, 2])
    assert module.class_counts.tolist() == [1, 1, 1]
    module.losses(Batch(rows(), y), "autoencoder")
    assert module.class_counts.tolist() == [3, 1, 3]
    module.eval().losses(Batch(rows(), y), "autoencoder")
    assert module.class_counts.tolist() == [3, 1, 3]


def test_unlabelled_rows_train_with_the_frequencies():
    module = linear()
    unknown = [
        module.losses(Batch(rows().repeat(20_000, 1), y), "autoencoder")["reconstruction"].item()
        for y in (None, torch.full((120_000,), -1))
    ]
    known = module.losses(Batch(rows(), torch.zeros(6, dtype=int)), "autoencoder")
    assert unknown[0] == pytest.approx(unknown[1], rel=0.01)
    assert known["kl"] == module.losses(Batch(rows()), "autoencoder")["kl"]
    bias = module.decoder.bias.detach().clone()
    with torch.no_grad():  # uniform frequencies move the bias, and no more
        module.decoder.bias += module.decoder.weight[:, 2:].mean(1)
        module.decoder.weight[:, 2:] = 0.0
    moved = module.losses(Batch(rows().repeat(20_000, 1)), "autoencoder")["reconstruction"].item()
    assert not torch.equal(bias, module.decoder.bias)
    assert moved == pytest.approx(unknown[0], rel=0.01)


def test_frequencies_are_those_of_the_labelled_training_rows(fitted):
    counts = fitted.module_.class_counts.numpy()
    y = clusters()[1]
    y[::10] = -1
    known = np.bincount(y[y >= 0]) / (y >= 0).sum()
    assert (counts / counts.sum()) == pytest.approx(known, abs=0.02)  # some rows were held out


def test_new_rows_are_of_the_class_asked_for(fitted):
    torch.manual_seed(0)
    y = torch.arange(3).repeat_interleave(400)
    new = fitted.module_.decode(fitted.module_.prior(1200), y).detach()
    centers = torch.stack([part.mean(0) for part in new.split(400)])
    torch.testing.assert_close(centers[:, :3], 4 * torch.eye(3), atol=0.6, rtol=0.0)


def test_without_classes_the_nearest_reconstruction_is_taken(fitted):
    X, y = clusters(200, seed=1)
    module, x, codes = fitted.module_, torch.from_numpy(X).float(), torch.from_numpy(y)
    with torch.no_grad():
        each = torch.stack([module.reconstruct(x, torch.full((200,), c)) for c in range(3)])
        nearest = (each - x).square().sum(-1).argmin(0)
        assert (nearest == codes).float().mean() > 0.9
        chosen = each[nearest, torch.arange(200)]
        torch.testing.assert_close(module.reconstruct(x), chosen)
        some = torch.where(torch.arange(200) % 2 == 0, codes, -1)
        mixed = torch.where(some < 0, nearest, codes)
        torch.testing.assert_close(module.reconstruct(x, some), each[mixed, torch.arange(200)])
    torch.testing.assert_close(torch.from_numpy(fitted.reconstruct(X)), chosen)


def test_held_out_rows_take_the_nearest_class_where_unknown(fitted):
    X, y = clusters(200, seed=1)
    x, codes = torch.from_numpy(X).float(), torch.from_numpy(y)
    module = fitted.module_

    def held_out(y):
        torch.manual_seed(0)
        return sum(module.held_out_losses(Batch(x, y)).values()).item()

    wrong = (codes + 1) % 3
    assert held_out(None) == pytest.approx(held_out(codes), rel=0.05)
    assert held_out(wrong) > 1.5 * held_out(codes)


def test_the_embedding_leaves_the_class_to_the_decoder(fitted):
    """Within a class rows differ by two numbers, which is what the two latents are for."""
    X, _ = clusters()
    plain = Autoencoder(
        "variational", hidden=(), latent_dim=2, epochs=75, learning_rate=0.04, scaling="none"
    ).fit(X)
    assert fitted.diagnosis_.statistics["active_latents"] == 2
    noise = [m.diagnosis_.statistics["noise_sd"] for m in (fitted, plain)]
    assert noise[0] < 0.6 * noise[1]


@torch.no_grad()
def test_log_likelihood_given_the_class_and_without_it():
    module, x = linear(variance=0.3), rows()
    module.class_counts[:] = torch.tensor([5, 3, 2])
    given_class = torch.stack([exact(module, x, c) for c in range(3)])
    torch.manual_seed(0)
    y = torch.tensor([0, 1, 2, 2, 1, 0])
    torch.testing.assert_close(
        module.log_likelihood(x, 20_000, y), given_class[y, torch.arange(6)], atol=0.15, rtol=0.0
    )
    mixture = (torch.tensor([0.5, 0.3, 0.2]).log()[:, None] + given_class).logsumexp(0)
    torch.testing.assert_close(module.log_likelihood(x, 20_000), mixture, atol=0.15, rtol=0.0)


def test_the_estimator_gives_likelihoods(fitted):
    X, _ = clusters(100, seed=1)
    first = fitted.log_likelihood(X, samples=50)
    assert np.array_equal(first, fitted.log_likelihood(X, samples=50))
    assert np.isfinite(first).all()


@pytest.mark.parametrize("options", [{}, {"samples": 3}, {"variance": 0.5, "free_bits": 0.01}])
def test_gradients_agree_with_finite_differences(options):
    module = linear(**options)
    batch = Batch(rows(), torch.tensor([0, 1, 2, -1, -1, 1]))
    names = [name for name, _ in module.named_parameters()]

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self):
            torch.manual_seed(0)  # the same draws in every evaluation
            return sum(module.losses(batch, "autoencoder").values())

    def loss(*values):
        changed = {f"module.{n}": v for n, v in zip(names, values, strict=True)}
        return torch.func.functional_call(Loss(), changed, ())

    assert torch.autograd.gradcheck(loss, tuple(module.parameters()))


def test_no_classes_are_refused_with_a_way_out():
    with pytest.raises(InputError, match="use kind='variational'"):
        linear(classes=0)
    with pytest.raises(InputError, match="requires y"):
        Autoencoder("conditional", latent_dim=2).fit(rows(30).numpy())


def test_options_are_those_of_the_variational_kind():
    ours, theirs = kinds.KINDS["conditional"].options(), kinds.KINDS["variational"].options()
    assert {n: p.default for n, p in ours.items()} == {n: p.default for n, p in theirs.items()}
    with pytest.raises(InputError, match="samples=1"):
        linear(samples=2, beta=0.5)
    with pytest.raises(InputError, match="variance=inf"):
        linear(variance=math.inf)
