"""Losses against their formulas, and which go with which data."""

from __future__ import annotations

import pytest
import torch

from cuello import InputError
from cuello.kinds import LOSSES, OUTPUTS, ReconstructionLoss


def sums_and_target(low=0.0, high=1.0):
    torch.manual_seed(0)
    return torch.randn(6, 4), torch.rand(6, 4) * (high - low) + low


def test_formulas():
    a, t = sums_and_target()
    s = torch.sigmoid(a)
    expected = {
        "mse": ((s - t) ** 2).mean(),
        "mae": (s - t).abs().mean(),
        "huber": (0.5 * (s - t) ** 2).mean(),  # all errors are below delta = 1
        "mape": ((s - t).abs() / t.clamp_min(0.01)).mean(),
        "bce": -(t * s.log() + (1 - t) * (1 - s).log()).mean(),
        "gaussian": -torch.distributions.Normal(s, 1.0).log_prob(t).mean(),
    }
    assert expected.keys() == LOSSES.keys()
    for name, value in expected.items():
        torch.testing.assert_close(ReconstructionLoss(loss=name)(a, t), value)


def test_huber_is_quadratic_up_to_one_and_linear_beyond():
    fit = ReconstructionLoss(loss="huber", output="identity", reduction="sum")
    errors = [(0.5, 0.125), (1.0, 0.5), (1.5, 1.0), (-4.0, 3.5)]
    for error, expected in errors:
        assert fit(torch.tensor([[error]]), torch.zeros(1, 1)).item() == pytest.approx(expected)


def test_mape_counts_small_targets_as_a_hundredth():
    fit = ReconstructionLoss(loss="mape", output="identity", low=-1.0, reduction="sum")
    for target, expected in ((0.0, 50.0), (0.005, 49.5), (-0.005, 50.5), (0.25, 1.0), (-0.5, 2.0)):
        loss = fit(torch.tensor([[0.5]]), torch.tensor([[target]])).item()
        assert loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_loss_is_summed_in_float32_whatever_the_network_computes_in(loss):
    a, t = sums_and_target()
    half = a.bfloat16()
    value = ReconstructionLoss(loss=loss)(half, t)
    assert value.dtype == torch.float32
    assert torch.equal(value, ReconstructionLoss(loss=loss)(half.float(), t))


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_sum_is_mean_times_elements(loss):
    a, t = sums_and_target()
    mean, total = (ReconstructionLoss(loss=loss, reduction=r)(a, t) for r in ("mean", "sum"))
    torch.testing.assert_close(total, 4 * mean)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_weights_choose_elements(loss, reduction):
    a, t = sums_and_target()
    fit = ReconstructionLoss(loss=loss, reduction=reduction)
    torch.testing.assert_close(fit(a, t, torch.ones_like(t)), fit(a, t))
    first = torch.zeros_like(t)
    first[:, :2] = 1.0
    torch.testing.assert_close(fit(a, t, first), fit(a[:, :2], t[:, :2]))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_missing_targets_do_not_count(loss, reduction):
    a, t = sums_and_target()
    part = t.clone()
    part[:, 2:] = float("nan")
    a.requires_grad_()
    value = ReconstructionLoss(loss=loss, reduction=reduction, missing=True)(a, part)
    torch.testing.assert_close(
        value, ReconstructionLoss(loss=loss, reduction=reduction)(a[:, :2], t[:, :2])
    )
    value.backward()
    assert a.grad.isfinite().all()
    assert not a.grad[:, 2:].any()


@pytest.mark.parametrize(("name", "same"), [("l1", "mae"), ("l2", "mse"), ("bernoulli", "bce")])
def test_other_names(name, same):
    assert ReconstructionLoss(loss=name) == ReconstructionLoss(loss=same)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_perfect_reconstruction_is_the_minimum(loss):
    _, t = sums_and_target(0.05, 0.95)
    perfect = torch.logit(t).requires_grad_()
    fit = ReconstructionLoss(loss=loss)
    fit(perfect, t).backward()
    best = fit(perfect, t).item()
    assert all(fit(perfect + d, t).item() > best for d in (-0.5, 0.5))
    if loss in ("mse", "huber", "bce"):
        torch.testing.assert_close(perfect.grad, torch.zeros_like(t), atol=1e-6, rtol=0)


def test_cross_entropy_of_a_certain_and_wrong_answer_stays_finite():
    a = torch.tensor([[200.0, -200.0]])
    assert ReconstructionLoss(loss="bce")(a, torch.tensor([[0.0, 1.0]])).item() == pytest.approx(
        200.0
    )


@pytest.mark.parametrize(
    ("low", "high", "output", "loss"),
    [(0, 1, "sigmoid", "bce"), (0.2, 0.9, "sigmoid", "bce"), (-1, 1, "identity", "mse")],
)
def test_auto_follows_the_range(low, high, output, loss):
    fit = ReconstructionLoss(low=low, high=high)
    assert (fit.output, fit.loss) == (output, loss)


@pytest.mark.parametrize("output", sorted(set(OUTPUTS) - {"sigmoid", "tanh"}))
def test_auto_loss_is_squared_error_without_a_sigmoid(output):
    assert ReconstructionLoss(output=output).loss == "mse"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"loss": "bce", "low": -1.0}, "scaling='minmax'"),
        ({"loss": "bce", "output": "identity"}, "loss='mse'"),
        ({"output": "relu", "low": -2.0}, "output_activation='auto'"),
        ({"output": "tanh", "low": -2.0}, "reaches -1..1"),
        ({"output": "tanh"}, "scaling='symmetric'"),
        ({"output": "sigmoid", "low": -0.5}, "reaches 0..1"),
        ({"output": "sigmoid", "high": 1.5}, "reaches 0..1"),
        ({"output": "softplus", "low": -0.5}, "reaches 0..inf"),
        ({"loss": "msee"}, "did you mean 'mse'"),
        ({"output": "sigmoidal"}, "did you mean 'sigmoid'"),
        ({"reduction": "total"}, "mean, sum"),
    ],
)
def test_mismatches_are_refused_with_a_way_out(options, text):
    with pytest.raises(InputError) as error:
        ReconstructionLoss(**options)
    assert text in str(error.value)


@pytest.mark.parametrize("output", sorted(OUTPUTS))
def test_outputs_stay_in_their_reach(output):
    a = torch.linspace(-30, 30, 101)
    reached = OUTPUTS[output].activate(a)
    if output in ("sigmoid", "relu", "softplus"):
        assert reached.min() >= 0
    if output in ("sigmoid", "tanh"):
        assert reached.abs().max() <= 1


def test_outputs_are_their_formulas():
    a = torch.linspace(-4, 4, 33, dtype=torch.float64)
    expected = {
        "identity": a,
        "sigmoid": 1 / (1 + (-a).exp()),
        "tanh": (a.exp() - (-a).exp()) / (a.exp() + (-a).exp()),
        "relu": a.where(a > 0, 0.0),
        "softplus": (1 + a.exp()).log(),
    }
    assert expected.keys() == OUTPUTS.keys()
    for name, value in expected.items():
        torch.testing.assert_close(OUTPUTS[name].activate(a), value)
