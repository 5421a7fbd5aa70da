"""The discrepancy against its definition, and what it does to codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cuello import Autoencoder, InputError
from cuello.kinds.wasserstein import KERNEL_WIDTHS, KERNELS, mmd


def draws(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def mmd_by_definition(x, y, kernel):
    def similar(a, b):
        squares, widths = np.sum((a - b) ** 2), [2 * len(a) * scale for scale in KERNEL_WIDTHS]
        if kernel == "imq":
            return sum(width / (width + squares) for width in widths)
        return sum(np.exp(-squares / width) for width in widths)

    def within(a):
        n = len(a)
        pairs = [similar(a[i], a[j]) for i in range(n) for j in range(n) if i != j]
        return sum(pairs) / (n * (n - 1))

    between = sum(similar(a, b) for a in x for b in y) / (len(x) * len(y))
    return within(x) + within(y) - 2 * between


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (7, 5)])
def test_mmd_is_its_definition(kernel, n, m):
    x, y = draws(0, n, 3), 1.5 * draws(1, m, 3) + 0.5
    expected = mmd_by_definition(x.numpy(), y.numpy(), kernel)
    assert mmd(x, y, kernel).item() == pytest.approx(expected, rel=1e-9)
    assert mmd(x.float(), y.float(), kernel).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_mmd_is_unbiased(kernel):
    """Also with three draws, where an estimate that counts pairs of equals is far off."""
    values = [mmd(draws(2 * i, 3, 2), draws(2 * i + 1, 3, 2), kernel).item() for i in range(600)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    assert min(values) < 0.0


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_mmd_grows_with_the_shift(kernel):
    x, y = draws(0, 400, 4), draws(1, 400, 4)
    near, far, farther = (mmd(x, y + shift, kernel).item() for shift in (0.0, 0.5, 1.0))
    assert abs(near) < 0.03
    assert 0.1 < far < farther


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_gradient_of_mmd(kernel):
    x, y = draws(0, 4, 3).requires_grad_(), draws(1, 5, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: mmd(a, b, kernel), (x, y))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 4), (4, 1)])
def test_mmd_of_a_single_draw_is_zero_with_a_gradient(n, m):
    x = draws(0, n, 3).requires_grad_()
    value = mmd(x, draws(1, m, 3))
    value.backward()
    assert value.item() == 0.0
    assert not x.grad.any()


def test_mmd_of_equal_draws_has_a_finite_gradient():
    x = torch.zeros(4, 3, requires_grad=True)  # what an encoder that learned nothing gives
    mmd(x, draws(1, 4, 3, dtype=torch.float32)).backward()
    assert x.grad.isfinite().all()


def test_mmd_is_computed_in_float32_at_least():
    x, y = draws(0, 50, 3, dtype=torch.bfloat16), draws(1, 50, 3, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = mmd(x, y)
    assert value.dtype == torch.float32
    assert torch.equal(value, mmd(x.float(), y.float()))
    assert mmd(x.double(), y.double()).dtype == torch.float64


def curved(n=400, columns=10):
    rng = np.random.default_rng(0)
    bent = np.tanh(rng.normal(size=(n, 3)) @ rng.normal(size=(3, columns)))
    return (bent + 0.02 * rng.normal(size=bent.shape)).astype(np.float32)


def fit(kind, X, epochs=40, **options):
    return Autoencoder(
        kind=kind,
        kind_options=options,
        hidden=(32,),
        latent_dim=3,
        linear_skip=False,
        epochs=epochs,
        batch_size=min(64, len(X) // 2),
        learning_rate=0.01,
    ).fit(X)


def distance_from_the_prior(codes):
    return np.abs(codes.mean(axis=0)).max(), np.abs(np.cov(codes.T) - np.eye(codes.shape[1])).max()


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_embeddings_come_nearer_to_the_prior(kernel):
    X = curved()
    plain = distance_from_the_prior(fit("plain", X).transform(X))
    matched = fit("wasserstein", X, kernel=kernel)
    mean, covariance = distance_from_the_prior(matched.transform(X))
    assert mean < 0.2
    assert mean < 0.5 * plain[0]
    assert covariance < 0.35
    assert covariance < 0.25 * plain[1]
    assert matched.diagnosis_.findings == []
    assert abs(matched.diagnosis_.statistics["mmd"]) < 0.1
    assert len(matched.diagnosis_.statistics["embedding_std"]) == 3


def test_embeddings_far_from_the_prior_are_reported():
    with pytest.warns(UserWarning, match=r"far from the prior.*raise the kind's weight \(now 0\)"):
        fit("wasserstein", curved(), epochs=5, weight=0.0)


def test_too_few_embeddings_are_not_judged():
    assert fit("wasserstein", curved(60), epochs=5, weight=0.0).diagnosis_.findings == []


@pytest.mark.parametrize(
    ("option", "value", "way_out"), [("weight", -1.0, "0 or more"), ("kernel", "rfb", "'rbf'")]
)
def test_wrong_options_are_refused(option, value, way_out):
    with pytest.raises(InputError, match=f"{option}={value!r}.*{way_out}"):
        fit("wasserstein", curved(16), **{option: value})
