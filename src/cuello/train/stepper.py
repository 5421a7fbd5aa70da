"""The optimizers of PyTorch for N networks at once, each with its own rate, momentum and decay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cuello.train.config import TrainingConfig

__all__ = ["STACKED_OPTIMIZERS", "Stepper"]


class Stepper:
    """Move the weights (N, P) of N networks, in place, by one optimizer.

    It computes what the class of that name in ``torch.optim`` computes for one network, and a test
    holds it to that. All configurations, one a network, name the same optimizer.
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

    def decay_into(self, gradient: Tensor) -> None:
        """Add the gradient of weight decay."""
        if self.decays:
            gradient.addcmul_(self.decay, self.weights)

    def step_sgd(self, gradient: Tensor, rate: Tensor) -> None:
        """Step as ``torch.optim.SGD``."""
        self.decay_into(gradient)
        self.first.mul_(self.momentum).add_(gradient)
        self.weights.addcmul_(rate, self.first, value=-1.0)

    def step_adam(self, gradient: Tensor, rate: Tensor) -> None:
        """Step as ``torch.optim.Adam``."""
        self.decay_into(gradient)
        self.step_by_moments(gradient, rate)

    def step_adamw(self, gradient: Tensor, rate: Tensor) -> None:
        """Step as ``torch.optim.AdamW``."""
        if self.decays:
            self.weights.mul_(1.0 - rate * self.decay)
        self.step_by_moments(gradient, rate)

    def step_by_moments(self, gradient: Tensor, rate: Tensor) -> None:
        """Step by the running mean of gradients over the root of that of their squares."""
        self.first.lerp_(gradient, 1.0 - 0.9)
        self.second.mul_(0.999).addcmul_(gradient, gradient, value=1.0 - 0.999)
        size = torch.sqrt(self.second).div_((1.0 - 0.999**self.steps) ** 0.5).add_(1e-8)
        move = torch.div(self.first, size, out=gradient)
        self.weights.addcmul_(rate / (1.0 - 0.9**self.steps), move, value=-1.0)

    def step_rmsprop(self, gradient: Tensor, rate: Tensor) -> None:
        """Step as ``torch.optim.RMSprop``."""
        self.decay_into(gradient)
        self.second.mul_(0.99).addcmul_(gradient, gradient, value=1.0 - 0.99)
        self.first.mul_(self.momentum).addcdiv_(gradient, self.second.sqrt().add_(1e-8))
        self.weights.addcmul_(rate, self.first, value=-1.0)


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]


STACKED_OPTIMIZERS: dict[str, Callable[[Stepper, Tensor, Tensor], None]] = {
    "adam": Stepper.step_adam,
    "adamw": Stepper.step_adamw,
    "rmsprop": Stepper.step_rmsprop,
    "sgd": Stepper.step_sgd,
}
