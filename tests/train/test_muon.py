"""Orthogonal steps: those of torch's own Muon, for convolutions too, and Adam for the rest."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.train.config import TrainingConfig
from cuello.train.many import why_not_stackable
from cuello.train.muon import OTHERS, Muon, _iterate, is_matrix, orthogonal


def weights_after(optimizer, weight, steps=4):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        weight.grad = torch.randn(weight.shape, generator=generator)
        optimizer.step()
    return weight.detach()


def parameter(*shape):
    return torch.nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(0)))


@pytest.fixture(params=[True, False], ids=["bfloat16", "float32"])
def _both_formats(request, monkeypatch):
    monkeypatch.setattr("cuello.train.muon.native_bf16", lambda device: request.param)


@pytest.mark.usefixtures("_both_formats")
@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (24, 24)])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_matrices_move_as_by_torchs_own(shape, momentum):
    ours, theirs = parameter(*shape), parameter(*shape)
    options = {"lr": 0.1, "momentum": momentum, "weight_decay": 0.3}
    found = weights_after(Muon([ours], **options), ours)
    expected = weights_after(torch.optim.Muon([theirs], ns_steps=4, **options), theirs)
    # PyTorch's own rounds to bfloat16.
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)
    assert (found - parameter(*shape)).abs().max() > 0.1


def test_a_kernel_moves_as_the_matrix_of_its_outputs():
    kernel, matrix = parameter(16, 4, 3, 3), parameter(16, 36)
    with torch.no_grad():
        matrix.copy_(kernel.flatten(1))
    gradient = torch.randn(16, 36, generator=torch.Generator().manual_seed(2))
    for weight in (kernel, matrix):
        weight.grad = gradient.view_as(weight)
        Muon([weight], lr=0.1).step()
    assert torch.equal(kernel.flatten(1), matrix)


@pytest.mark.parametrize("shape", [(7,), (10, 256), (32, 1, 3, 3)])
def test_biases_and_thin_layers_move_as_by_adam(shape):
    ours, theirs = parameter(*shape), parameter(*shape)
    assert not is_matrix(ours)
    found = weights_after(Muon([ours], lr=0.5, weight_decay=0.3), ours)
    expected = weights_after(torch.optim.Adam([theirs], lr=OTHERS * 0.5), theirs)
    torch.testing.assert_close(found, expected)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(16, 48),
    columns=st.integers(16, 48),
    seed=st.integers(0, 99),
    power=st.integers(-6, 6),
    native=st.booleans(),
)
def test_a_step_has_the_directions_of_the_gradient_and_no_size_of_its_own(
    rows, columns, seed, power, native
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cuello.train.muon.native_bf16", lambda device: native)
        _check_directions(rows, columns, seed, power)


def _check_directions(rows, columns, seed, power):
    u, s, vt = torch.linalg.svd(
        torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)),
        full_matrices=False,
    )
    matrix = (u * s.clamp(min=0.1 * float(s[0]))) @ vt
    found = orthogonal(matrix * 10.0**power)
    inner = u.mT @ found @ vt.mT
    diagonal = inner.diagonal()
    assert diagonal.min() > 0.5
    assert diagonal.max() < 1.3
    assert (inner - torch.diag(diagonal)).abs().max() < 0.1
    torch.testing.assert_close(orthogonal(matrix.mT).mT, orthogonal(matrix), atol=0.1, rtol=0)


@pytest.mark.parametrize("shape", [(16, 16), (16, 200), (90, 20)])
def test_products_of_the_gram_matrix_give_the_same_step(shape, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(*shape, generator=generator) * torch.logspace(0, -6, shape[1])
    monkeypatch.setattr("cuello.train.muon.native_bf16", lambda device: False)
    found = orthogonal(matrix)
    monkeypatch.setattr("cuello.train.muon._iterate_on_gram", _iterate)
    torch.testing.assert_close(found, orthogonal(matrix), atol=2e-4, rtol=0)


def test_a_gradient_of_zeros_moves_nothing():
    weight = parameter(16, 16)
    weight.grad = torch.zeros(16, 16)
    Muon([weight], lr=0.1).step()
    assert torch.equal(weight, parameter(16, 16))


def test_there_are_no_stacked_steps():
    models = [Alone(), Alone()]
    assert "muon" in why_not_stackable(models, [TrainingConfig(optimizer="muon")] * 2)
    assert why_not_stackable(models, [TrainingConfig(optimizer="adam")] * 2) == ""


class Alone(torch.nn.Linear):
    """One layer with one optimizer."""

    def __init__(self):
        super().__init__(16, 16)

    def optimizers(self):
        return {"all": [{"params": list(self.parameters())}]}
