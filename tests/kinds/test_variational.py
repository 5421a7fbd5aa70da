"""The variational kind against distributions, closed forms and probabilistic PCA."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import distributions, nn

from cuello import Autoencoder, CuelloWarning, InputError, kinds
from cuello.kinds import Batch, Parts, ReconstructionLoss, variational
from cuello.kinds.distributions import (
    DecoderLikelihood,
    kl_to_standard_normal,
    normal_log_density,
    split_posterior,
)

UNBOUNDED = ReconstructionLoss(loss="mse", low=-3.0, high=3.0)
BINARY = ReconstructionLoss(loss="bce")


def linear(features=4, latents=2, reconstruction=UNBOUNDED, **options):
    """One linear layer each way, in float64; q is broader than the posterior it stands in for."""
    torch.manual_seed(3)
    encoder, decoder = nn.Linear(features, 2 * latents), nn.Linear(latents, features)
    nn.init.normal_(encoder.weight, std=0.1)
    nn.init.constant_(encoder.bias, 0.2)
    nn.init.normal_(decoder.weight, std=0.7)
    parts = Parts(
        encoder=encoder,
        decoder=decoder,
        reconstruction=reconstruction,
        shape=(features,),
        latent_dim=latents,
    )
    return kinds.build_module("variational", parts, **options).double()


def rows(n=6, features=4, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, features)))


def bits(n=6, features=4):
    return (rows(n, features) > 0).double()


def exact(module, x):
    """log p(x) under a linear decoder with Gaussian noise: x is Gaussian itself."""
    weight, bias = module.decoder.weight, module.decoder.bias
    noise = module.likelihood.log_variance.exp() * torch.eye(len(bias))
    return distributions.MultivariateNormal(bias, weight @ weight.T + noise).log_prob(x).detach()


def total(terms):
    return sum(terms.values())


def spread(eigenvalues, n=1000, seed=0):
    """Rows whose covariance has exactly these eigenvalues, in directions of no axis."""
    rng = np.random.default_rng(seed)
    d = len(eigenvalues)
    X = rng.normal(size=(n, d))
    X = (X - X.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(X.T, bias=True))).T
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return (X * np.sqrt(eigenvalues)) @ turn + rng.normal(size=d)


def test_kl_and_density_agree_with_torch_distributions():
    mean, log_variance, x = rows(seed=1), rows(seed=2), rows(seed=3)
    normal = distributions.Normal(mean, (0.5 * log_variance).exp())
    standard = distributions.Normal(torch.zeros_like(mean), 1.0)
    torch.testing.assert_close(
        kl_to_standard_normal(mean, log_variance), distributions.kl_divergence(normal, standard)
    )
    torch.testing.assert_close(normal_log_density(x, mean, log_variance), normal.log_prob(x))


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("name", ["gaussian", "bernoulli"])
def test_likelihood_of_rows_agrees_with_torch_distributions(name, missing):
    fit = ReconstructionLoss(loss="bce", missing=missing)
    likelihood = DecoderLikelihood(name, 0.09 if name == "gaussian" else 0.0, fit)
    sums_SBD = torch.randn(3, 5, 4, dtype=torch.float64)
    x_BD = bits(5)
    of_elements = (
        distributions.Bernoulli(logits=sums_SBD)
        if name == "bernoulli"
        else distributions.Normal(sums_SBD.sigmoid(), 0.3)
    ).log_prob(x_BD)
    if missing:
        x_BD[1, 2:] = torch.nan
        of_elements[:, 1, 2:] = 0.0
    torch.testing.assert_close(likelihood(sums_SBD, x_BD), of_elements.sum(-1))


def test_the_embedding_is_the_mean():
    module = linear()
    torch.testing.assert_close(module.encode(rows()), module.encoder(rows())[:, :2])


def test_terms_are_the_bound_in_nats_per_row():
    """Elements summed and rows averaged, whatever ``reduction`` says."""
    module, x = linear(variance=0.3), rows(2).repeat(40_000, 1)
    terms = module.losses(Batch(x), "autoencoder")
    q = split_posterior(module.encoder(rows(2)))
    weight, bias = module.decoder.weight, module.decoder.bias
    squares = (rows(2) - q.mean @ weight.T - bias).square().sum(1)
    squares = squares + (q.log_variance.exp() * weight.square().sum(0)).sum(1)
    expected = 0.5 * (4 * math.log(2 * math.pi * 0.3) + squares / 0.3).mean()
    assert terms["reconstruction"].item() == pytest.approx(expected.item(), rel=0.01)
    assert terms["kl"].item() == pytest.approx(kl_to_standard_normal(*q).sum(1).mean().item())
    for reduction in ("mean", "sum"):
        fit = ReconstructionLoss(loss="mse", low=-3.0, high=3.0, reduction=reduction)
        torch.manual_seed(0)
        losses = linear(reconstruction=fit).losses(Batch(rows()), "autoencoder")
        torch.manual_seed(0)
        other = linear().losses(Batch(rows()), "autoencoder")
        assert total(losses).item() == total(other).item()


@torch.no_grad()
def test_importance_weighted_bound_rises_to_the_likelihood():
    x = rows(8)
    truth = exact(linear(variance=0.3), x).mean().item()
    torch.manual_seed(0)
    bounds = []
    for samples in (1, 2, 8, 64):
        batch = Batch(x.repeat(100_000 // samples, 1))
        bounds.append(-total(linear(variance=0.3, samples=samples).losses(batch, "")).item())
    assert all(b > a + 0.05 for a, b in itertools.pairwise(bounds))
    assert truth - 0.2 < bounds[-1] < truth


@torch.no_grad()
@pytest.mark.parametrize("chunk", [2**22, 100])
def test_log_likelihood_converges_to_the_exact_one(chunk, monkeypatch):
    monkeypatch.setattr(variational, "_MOST_DECODED", chunk)
    module, x = linear(variance=0.3), rows(8)
    torch.manual_seed(0)
    estimates = module.log_likelihood(x, 5_000)
    torch.testing.assert_close(estimates, exact(module, x), atol=0.15, rtol=0.0)
    assert (module.log_likelihood(x, 5) - exact(module, x)).mean() < -0.05


@torch.no_grad()
def test_log_likelihood_of_bits_agrees_with_an_integral():
    module, x = linear(latents=1, reconstruction=BINARY), bits()
    z = torch.linspace(-9, 9, 20_001, dtype=torch.float64)[:, None]
    given_z = distributions.Bernoulli(logits=module.decoder(z)[:, None]).log_prob(x).sum(-1)
    density = given_z + distributions.Normal(0.0, 1.0).log_prob(z)
    torch.manual_seed(0)
    torch.testing.assert_close(
        module.log_likelihood(x, 20_000),
        (density.exp().sum(0) * 18 / 20_000).log(),
        atol=0.03,
        rtol=0.0,
    )


def test_linear_with_learned_noise_is_probabilistic_pca():
    """Tipping and Bishop 1999; that the bound is tight at the optimum: Lucas et al. 2019."""
    X = spread([6.0, 2.0, 0.3, 0.2, 0.1])
    model = Autoencoder(
        "variational",
        hidden=(),
        latent_dim=2,
        scaling="none",
        learning_rate=0.05,
        epochs=500,
        batch_size=len(X),
        validation_fraction=0.0,
    ).fit(X)
    noise = np.mean([0.3, 0.2, 0.1])
    best = -0.5 * (
        5 * math.log(2 * math.pi) + math.log(6.0) + math.log(2.0) + 3 * math.log(noise) + 5
    )
    assert best == pytest.approx(PCA(2).fit(X).score(X), abs=0.002)  # of the n - 1 covariance
    x = torch.from_numpy(X).float().repeat(100, 1)
    with torch.no_grad():
        torch.manual_seed(0)
        bound = -total(model.module_.losses(Batch(x), "autoencoder")).item()
    assert best - 0.01 < bound < best + 0.003  # above only by the chance of the draws
    statistics = model.diagnosis_.statistics
    assert statistics["noise_sd"] == pytest.approx(math.sqrt(noise), rel=0.01)
    assert statistics["active_latents"] == 2
    assert model.log_likelihood(X, 50).mean() == pytest.approx(best, abs=0.01)


def test_exactly_the_latents_below_the_noise_collapse():
    X = spread([9.0, 4.0, 0.4, 0.2, 0.1])
    model = Autoencoder(
        "variational",
        kind_options={"variance": 1.0},
        hidden=(),
        latent_dim=4,
        scaling="none",
        learning_rate=0.05,
        epochs=400,
        batch_size=len(X),
        validation_fraction=0.0,
    )
    with pytest.warns(CuelloWarning, match="2 of 4 latent dimensions collapsed"):
        model.fit(X)
    kl = np.array(model.diagnosis_.statistics["kl_per_latent"])
    # What a latent tells about a row, once the posterior is exact: half the log of signal to noise.
    assert sorted(kl)[2:] == pytest.approx([0.5 * math.log(4.0), 0.5 * math.log(9.0)], abs=0.02)
    assert model.diagnosis_.statistics["active_latents"] == 2
    [finding] = model.diagnosis_.findings
    names = ", ".join(f"z{k}" for k in np.flatnonzero(kl < 0.01))
    assert f": {names}; try" in finding
    assert all(way in finding for way in ("kl_warm_up", "free_bits", "beta", "latent_dim=2"))


@torch.no_grad()
def test_a_healthy_model_has_no_finding():
    assert linear().diagnose(3 * rows(50)).findings == []


@torch.no_grad()
def test_the_way_out_fits_the_bound():
    module = linear(samples=4)
    nn.init.zeros_(module.encoder.weight)
    nn.init.zeros_(module.encoder.bias)
    diagnosis = module.diagnose(rows())
    [finding] = diagnosis.findings
    assert "2 of 2 latent dimensions" in finding
    assert finding.endswith("try samples=1 with kl_warm_up=0.3.")
    assert diagnosis.statistics["active_latents"] == 0


def kl_of(progress=1.0, **options):
    module = linear(**options)
    module.progress = progress
    return module.losses(Batch(rows()), "autoencoder")["kl"].item()


def test_beta_weighs_the_kl():
    assert kl_of(beta=0.0) == 0.0
    assert kl_of(beta=4.0) == pytest.approx(4.0 * kl_of())


def test_warm_up_follows_progress():
    shares = [kl_of(p, kl_warm_up=0.4, beta=2.0) / kl_of() for p in (0.0, 0.1, 0.4, 0.9)]
    assert shares == pytest.approx([0.0, 0.5, 2.0, 2.0])


def test_warm_up_reaches_the_loop():
    options = {"hidden": (), "latent_dim": 2, "epochs": 4, "scaling": "none", "learning_rate": 1e-9}
    model = Autoencoder("variational", kind_options={"kl_warm_up": 1.0}, **options)
    history = model.fit(10 * rows(100).numpy()).history_
    shares = [epoch.train["kl"] / epoch.validation["kl"] for epoch in history]
    assert shares[0] == 0.0  # one step an epoch
    assert np.diff(shares) == pytest.approx(np.full(3, shares[1]), rel=1e-3)


def test_free_bits_cost_nothing():
    kl_K = kl_to_standard_normal(*split_posterior(linear().encoder(rows()))).mean(0)
    low, high = kl_K.min().item(), kl_K.max().item()
    assert kl_of(free_bits=0.5 * (low + high)) == pytest.approx(0.5 * (low + high) + high)
    module = linear(free_bits=2 * high)
    kl = module.losses(Batch(rows()), "autoencoder")["kl"]
    assert kl.item() == pytest.approx(4 * high)
    kl.backward()
    assert not module.encoder.weight.grad.any()


@pytest.mark.parametrize(
    ("reconstruction", "options"),
    [
        (UNBOUNDED, {}),
        (UNBOUNDED, {"samples": 3}),
        (UNBOUNDED, {"variance": 0.5, "beta": 2.0, "free_bits": 0.01}),
        (BINARY, {}),
        (BINARY, {"samples": 3}),
        (BINARY, {"likelihood": "gaussian"}),
    ],
)
def test_gradients_agree_with_finite_differences(reconstruction, options):
    module = linear(reconstruction=reconstruction, **options)
    x = bits() if reconstruction is BINARY else rows()
    names = [name for name, _ in module.named_parameters()]

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self):
            torch.manual_seed(0)  # the same draws in every evaluation
            return total(module.losses(Batch(x), "autoencoder"))

    def loss(*values):
        changed = {f"module.{n}": v for n, v in zip(names, values, strict=True)}
        return torch.func.functional_call(Loss(), changed, ())

    assert torch.autograd.gradcheck(loss, tuple(module.parameters()))


@pytest.mark.parametrize("options", [{}, {"samples": 3}])
def test_outputs_thrown_far_off_overflow_nothing(options):
    module = linear(**options).float()
    nn.init.constant_(module.encoder.bias, 1e6)
    loss = total(module.losses(Batch(rows().float()), "autoencoder"))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in module.parameters())


def test_learned_noise_has_a_floor():
    module = linear()
    nn.init.constant_(module.likelihood.decades, -1e4)
    sd = (0.5 * module.likelihood.log_variance).exp().item()
    assert sd == pytest.approx(6.0 * 1e-4, rel=0.01)


def test_sums_are_in_float32_under_autocast():
    module, x = linear(2000, samples=2).float(), rows(4, 2000).float()
    torch.manual_seed(0)
    full = total(module.losses(Batch(x), "autoencoder"))
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = total(module.losses(Batch(x), "autoencoder"))
        assert module.encode(x).dtype == torch.float32
    assert module.likelihood(x.bfloat16(), x.bfloat16()).dtype == loss.dtype == torch.float32
    assert loss.item() == pytest.approx(full.item(), rel=0.01)


def test_samples_come_from_the_prior():
    module = linear().float()
    torch.manual_seed(0)
    weight = module.decoder.weight.detach()
    new = module.decode(module.prior(100_000)).detach()
    torch.testing.assert_close(torch.cov(new.T), weight @ weight.T, atol=0.03, rtol=0.0)


def test_estimator_gives_the_same_likelihoods_and_leaves_the_random_state_alone():
    X = spread([4.0, 2.0, 0.1, 0.1], n=300)
    model = Autoencoder("variational", hidden=(), latent_dim=2, epochs=200, learning_rate=0.03)
    model.fit(X)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = model.log_likelihood(X, samples=20)
    assert torch.equal(torch.rand(3), expected)
    assert first.shape == (300,)
    assert first.dtype == np.float64
    assert np.array_equal(first, model.log_likelihood(X, samples=20))
    assert model.log_likelihood(X[:5] + 9).max() < first.min()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"likelihood": "poisson"}, "Allowed: auto, bernoulli, gaussian"),
        ({"likelihood": "bernoulli"}, "use loss='bce' with scaling='minmax'"),
        ({"variance": -1.0}, "0 or more"),
        ({"variance": math.inf}, "a finite number"),
        ({"beta": -0.1}, "beta=-0.1 must be a finite number, 0 or more; use beta=1.0"),
        ({"kl_warm_up": 1.1}, "0 or more and at most 1"),
        ({"free_bits": math.nan}, "0 or more"),
        ({"samples": 0}, "a whole number, 1 or more"),
        ({"samples": 2.5}, "a whole number, 1 or more"),
        ({"samples": 2, "beta": 2.0}, "use samples=1, or beta=1"),
        ({"samples": 2, "kl_warm_up": 0.1}, "use samples=1, or kl_warm_up=0"),
        ({"samples": 2, "free_bits": 0.1}, "use samples=1, or free_bits=0"),
    ],
)
def test_wrong_options_are_refused_with_a_way_out(options, text):
    with pytest.raises(InputError) as error:
        linear(**options)
    assert text in str(error.value)


@pytest.mark.parametrize("loss", ["mae", "huber", "mape"])
def test_losses_that_are_no_likelihood_are_refused(loss):
    with pytest.raises(InputError, match="use loss='mse'"):
        linear(reconstruction=ReconstructionLoss(loss=loss))


def test_variance_of_bits_is_refused():
    with pytest.raises(InputError, match="likelihood='gaussian'"):
        linear(reconstruction=BINARY, variance=0.1)


def test_kinds_without_a_likelihood_name_those_with_one():
    plain = Autoencoder("plain", hidden=(), latent_dim=2).initialize(rows().numpy())
    with pytest.raises(InputError, match="kind='variational'"):
        plain.log_likelihood(rows().numpy())
    variational = Autoencoder("variational", hidden=(), latent_dim=2).initialize(rows().numpy())
    with pytest.raises(InputError, match="samples=0 must be a whole number"):
        variational.log_likelihood(rows().numpy(), samples=0)
