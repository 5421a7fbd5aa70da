"""The optimizers of PyTorch for N networks at once, each with its own rate, momentum and decay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cuello.train.config import TrainingConfig

__all__ = ["STACKED_OPTIMIZERS", "Stepper"]


class Stepper:
    """One optimizer for all rows of an (N, P) tensor of weights.

    It computes what ``torch.optim``'s class of the same name computes for one network, and a test
    holds it to that.

    Parameters
    ----------
    hows : sequence of Training
        One a network; all name the same optimizer.
    weights : Tensor
        (N, P), changed in place by :meth:`step`.
    """

    def __init__(self, configs: Sequence[TrainingConfig], weights: Tensor) -> None:
        self.weights = weights
        self.update = STACKED_OPTIMIZERS[configs[0].optimizer]
        self.clip = configs[0].gradient_clip
        self.decay = _column([config.weight_decay for config in configs])
        self.decays = bool(self.decay.any())
        self.momentum = _column([config.momentum for config in configs])
        self.first = torch.zeros_like(weights)
        """Running mean of gradients, or velocity."""
        self.second = torch.zeros_like(weights)
        """Running mean of squared gradients."""
        self.steps = 0

    def step(self, gradient: Tensor, rate: Tensor) -> None:
        """Move the weights against an (N, P) gradient, which is overwritten; rates are (N, 1)."""
        if self.clip is not None:
            norm = gradient.norm(dim=1, keepdim=True)
            gradient.mul_((self.clip / (norm + 1e-6)).clamp_max_(1.0))
        self.steps += 1
        self.update(self, gradient, rate)


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]


def _decay_into(own: Stepper, gradient: Tensor) -> None:
    if own.decays:
        gradient.addcmul_(own.decay, own.weights)


def _sgd(own: Stepper, gradient: Tensor, rate: Tensor) -> None:
    _decay_into(own, gradient)
    own.first.mul_(own.momentum).add_(gradient)
    own.weights.addcmul_(rate, own.first, value=-1.0)


def _adam(own: Stepper, gradient: Tensor, rate: Tensor) -> None:
    _decay_into(own, gradient)
    _move_by_moments(own, gradient, rate)


def _adamw(own: Stepper, gradient: Tensor, rate: Tensor) -> None:
    if own.decays:
        own.weights.mul_(1.0 - rate * own.decay)
    _move_by_moments(own, gradient, rate)


def _move_by_moments(own: Stepper, gradient: Tensor, rate: Tensor) -> None:
    own.first.lerp_(gradient, 1.0 - 0.9)
    own.second.mul_(0.999).addcmul_(gradient, gradient, value=1.0 - 0.999)
    size = torch.sqrt(own.second).div_((1.0 - 0.999**own.steps) ** 0.5).add_(1e-8)
    move = torch.div(own.first, size, out=gradient)
    own.weights.addcmul_(rate / (1.0 - 0.9**own.steps), move, value=-1.0)


def _rmsprop(own: Stepper, gradient: Tensor, rate: Tensor) -> None:
    _decay_into(own, gradient)
    own.second.mul_(0.99).addcmul_(gradient, gradient, value=1.0 - 0.99)
    own.first.mul_(own.momentum).addcdiv_(gradient, own.second.sqrt().add_(1e-8))
    own.weights.addcmul_(rate, own.first, value=-1.0)


STACKED_OPTIMIZERS: dict[str, Callable[[Stepper, Tensor, Tensor], None]] = {
    "adam": _adam,
    "adamw": _adamw,
    "rmsprop": _rmsprop,
    "sgd": _sgd,
}
