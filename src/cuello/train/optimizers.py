"""Optimizers as those of ``torch.optim``, by the same fused functions, and nothing around them.

The classes of ``torch.optim`` import PyTorch's compiler at their first step, which takes seconds,
and sort their weights by device and type at every one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["SGD", "Adam", "AdamW", "GroupedOptimizer", "RMSprop"]

BETAS, EPSILON = (0.9, 0.999), 1e-8
_KEPT_SQUARE = 0.99
"""Share of the mean square that stays at a step of RMSprop."""


class GroupedOptimizer(ABC):
    """Move groups of weights, each group with its own learning rate and weight decay.

    ``groups`` are weights, or mappings of ``params`` and what differs from the other options.
    Optimizers without a momentum leave it aside.
    """

    slots: tuple[str, ...] = ()
    """Names of what is kept of each weight, in its shape; 0 at first."""

    def __init__(
        self, groups: Iterable[Any], lr: float, *, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        listed = list(groups)
        if not isinstance(listed[0], dict):
            listed = [{"params": listed}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups: list[dict[str, Any]] = [
            {**defaults, **group, "params": list(group["params"])} for group in listed
        ]
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for weight in self._weights():
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move all weights that have a gradient."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self.move(weights, [weight.grad for weight in weights], group)

    @abstractmethod
    def move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        """Move weights in place."""

    def kept(self, weights: list[Tensor]) -> list[list[Tensor]]:
        """Return each slot of these weights."""
        for weight in weights:
            if weight not in self.state:
                self.state[weight] = {slot: torch.zeros_like(weight) for slot in self.slots}
        return [[self.state[weight][slot] for weight in weights] for slot in self.slots]

    def tensors(self) -> dict[str, Tensor]:
        """Return all that is kept, as ``INDEX/SLOT`` by the position of the weight."""
        return {
            f"{index}/{slot}": value
            for index, weight in enumerate(self._weights())
            for slot, value in self.state.get(weight, {}).items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back the result of :meth:`tensors`, laid out in memory as the weights are.

        Files are row-major; fused functions walk through weights and slots side by side.
        """
        weights = self._weights()
        self.state = {}
        for name, value in tensors.items():
            index, slot = name.split("/")
            weight = weights[int(index)]
            if value.shape == weight.shape:
                value = torch.empty_like(weight, dtype=value.dtype).copy_(value)
            self.state.setdefault(weight, {})[slot] = value.to(weight.device)

    def _weights(self) -> list[Tensor]:
        return [weight for group in self.param_groups for weight in group["params"]]


class Adam(GroupedOptimizer):
    """``torch.optim.Adam``; a group may have its own ``betas``."""

    slots = ("mean", "square")
    update = staticmethod(torch._fused_adam_)

    def move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        """Move weights by the mean of their gradients over the root of that of the squares."""
        means, squares = self.kept(weights)
        steps = [self.state[w].setdefault("step", w.new_zeros(())) for w in weights]
        torch._foreach_add_(steps, 1)
        first, second = group.get("betas", BETAS)
        self.update(
            weights,
            gradients,
            means,
            squares,
            [],
            steps,
            lr=group["lr"],
            beta1=first,
            beta2=second,
            weight_decay=group["weight_decay"],
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )


class AdamW(Adam):
    """``torch.optim.AdamW``: weight decay is apart from the gradient."""

    update = staticmethod(torch._fused_adamw_)


class RMSprop(GroupedOptimizer):
    """``torch.optim.RMSprop`` with momentum."""

    slots = ("square", "velocity")

    def move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        """Move weights by gradients over the root of their mean square."""
        squares, velocities = self.kept(weights)
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        torch._foreach_mul_(squares, _KEPT_SQUARE)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - _KEPT_SQUARE)
        sizes = torch._foreach_sqrt(squares)
        torch._foreach_add_(sizes, EPSILON)
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_addcdiv_(velocities, gradients, sizes)
        torch._foreach_add_(weights, velocities, alpha=-group["lr"])


class SGD(GroupedOptimizer):
    """``torch.optim.SGD``."""

    slots = ("velocity",)

    def move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        """Move weights by a running sum of gradients."""
        (velocities,) = self.kept(weights) if group["momentum"] else [[]]
        torch._fused_sgd_(
            weights,
            gradients,
            velocities,
            lr=group["lr"],
            momentum=group["momentum"],
            weight_decay=group["weight_decay"],
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,  # a velocity of 0 gives the same first step
        )
