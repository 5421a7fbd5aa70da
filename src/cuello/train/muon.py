"""Muon: steps that move a layer's weights by as much in every direction.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. The matrix
of a step is replaced by the orthogonal one nearest to it, which products of matrices alone compute
(a Newton-Schulz iteration), so that rare directions of the gradient count as much as others.

``torch.optim.Muon`` moves two-dimensional weights alike, but for rounding. It refuses kernels of
convolutions, biases and norms, which would then need a second optimizer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from cuello.train.placement import native_bf16

__all__ = ["Muon", "is_matrix", "orthogonal"]

SMALLEST = 16
"""Rows and columns below which weights do not count as a matrix: class scores, pixel filters."""
OTHERS = 0.04
"""Rate of all other weights, which move by Adam, as a share of the rate."""
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the iteration's polynomial, which moves singular values to between about 0.7 and 1.2."""
_NEWTON_SCHULZ_STEPS = 4
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


@final
class Muon(torch.optim.Optimizer):
    """Move matrices by orthogonal steps with Nesterov momentum, and all other weights by Adam.

    Kernels of convolutions count as matrices, one row an output channel. A step moves the output of
    a layer by a share ``lr`` of its input. ``weight_decay`` is decoupled, and of matrices only.
    """

    def __init__(
        self, params: Any, lr: float, *, momentum: float = 0.9, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move all weights that have a gradient."""
        assert closure is None, "the training loop calls backward itself"
        for group in self.param_groups:
            moved = [weight for weight in group["params"] if weight.grad is not None]
            for weight in filter(is_matrix, moved):
                self._step_matrix(weight, group)
            self._step_by_adam([weight for weight in moved if not is_matrix(weight)], group)

    def _step_matrix(self, weight: Tensor, group: dict[str, Any]) -> None:
        slots, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if not slots:
            slots["velocity"] = torch.zeros_like(weight)
        velocity = slots["velocity"].mul_(group["momentum"]).add_(gradient)
        ahead = gradient.add(velocity, alpha=group["momentum"]).flatten(1)
        rows, columns = ahead.shape
        # A tall matrix is moved by more: else an output would move by less than in a wide one.
        rate = group["lr"] * max(1.0, rows / columns) ** 0.5
        weight.mul_(1.0 - group["lr"] * group["weight_decay"])
        weight.add_(orthogonal(ahead).view_as(weight), alpha=-rate)

    def _step_by_adam(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        for weight in weights:
            slots, gradient = self.state[weight], weight.grad
            assert gradient is not None
            if not slots:
                slots["steps"] = torch.zeros(())
                slots["mean"], slots["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
            slots["steps"] += 1
            corrected = [1.0 - beta ** float(slots["steps"]) for beta in _BETAS]
            slots["mean"].lerp_(gradient, 1.0 - _BETAS[0])
            slots["square"].lerp_(gradient.square(), 1.0 - _BETAS[1])
            size = (slots["square"] / corrected[1]).sqrt_().add_(_EPSILON)
            weight.addcdiv_(slots["mean"], size, value=-OTHERS * group["lr"] / corrected[0])


def is_matrix(weight: Tensor) -> bool:
    """Return whether weights are a matrix large enough for orthogonal steps."""
    return weight.ndim > 1 and min(len(weight), weight[0].numel()) >= SMALLEST


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix of this shape whose singular values are all near 1."""
    tall = matrix.shape[0] > matrix.shape[1]
    # Enough digits, as the iteration corrects itself; emulated it is 7 to 30 times as slow.
    x = matrix.bfloat16() if native_bf16(matrix.device) else matrix.float()
    x = x.mT if tall else x
    x = x / x.norm().clamp(min=1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_NEWTON_SCHULZ_STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    orthogonal_matrix: Tensor = x.mT if tall else x
    return orthogonal_matrix.to(matrix.dtype)
