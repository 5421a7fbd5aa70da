"""Optimizers: those of torch, step by step, without PyTorch's compiler."""

from __future__ import annotations

import pytest
import torch

from cuello.train.config import TrainingConfig

THEIRS = {
    "sgd": lambda groups, momentum, **options: torch.optim.SGD(
        groups, fused=True, momentum=momentum, **options
    ),
    "rmsprop": lambda groups, momentum, **options: torch.optim.RMSprop(
        groups, foreach=True, momentum=momentum, **options
    ),
    "adam": lambda groups, momentum, **options: torch.optim.Adam(groups, fused=True, **options),
    "adamw": lambda groups, momentum, **options: torch.optim.AdamW(groups, fused=True, **options),
}


def weights():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=generator).requires_grad_() for s in ((3, 4), (4,), (2, 5))]


@pytest.mark.parametrize("name", sorted(THEIRS))
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_steps_are_those_of_torch_to_the_bit(name, decay, momentum):
    """Two groups, one at half the rate, one weight without a gradient at first."""
    config = TrainingConfig(
        optimizer=name, learning_rate=0.1, momentum=momentum, weight_decay=decay
    )
    ours, theirs = weights(), weights()

    def groups(these):
        betas = {"betas": (0.5, 0.99)} if name.startswith("adam") else {}
        return [{"params": these[:2]}, {"params": these[2:], "lr": 0.05, **betas}]

    pairs = [
        (ours, config.build_optimizer(groups(ours))),
        (theirs, THEIRS[name](groups(theirs), lr=0.1, momentum=momentum, weight_decay=decay)),
    ]
    for step in range(5):
        for these, optimizer in pairs:
            generator = torch.Generator().manual_seed(step)
            for k, weight in enumerate(these):
                gradient = torch.randn(weight.shape, generator=generator)
                late = k == 1 and name != "sgd"  # torch's fused one takes no weight late
                weight.grad = None if late and step < 2 else gradient
            optimizer.step()
    assert all(map(torch.equal, ours, theirs))
    assert not any(map(torch.equal, ours, weights()))


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_without_momentum_there_is_no_velocity(name):
    config = TrainingConfig(optimizer=name, learning_rate=0.1, momentum=0.0)
    ours, theirs = weights(), weights()
    pairs = [
        (ours, config.build_optimizer(ours)),
        (theirs, THEIRS[name](theirs, lr=0.1, momentum=0.0)),
    ]
    for _ in range(3):
        for these, optimizer in pairs:
            for weight in these:
                weight.grad = weight.detach().clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", [*sorted(THEIRS), "muon"])
def test_what_is_kept_goes_on_where_it_was(name):
    config = TrainingConfig(optimizer=name, learning_rate=0.1)
    big = torch.randn(16, 20, 3, 3).to(memory_format=torch.channels_last)
    whole, halted = [big.clone().requires_grad_(), torch.ones(3, requires_grad=True)], None
    optimizer = config.build_optimizer(whole)

    def step(these, optimizer):
        for weight in these:
            weight.grad = weight.detach().sin()
        optimizer.step()

    for count in range(4):
        if count == 2:
            halted = [weight.detach().clone().requires_grad_() for weight in whole]
            resumed = config.build_optimizer(halted)
            kept = {k: v.clone().contiguous() for k, v in optimizer.tensors().items()}
            resumed.load(kept)
        step(whole, optimizer)
        if halted is not None:
            step(halted, resumed)
    assert all(map(torch.equal, whole, halted))
