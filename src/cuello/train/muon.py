"""Muon: steps that move a layer's weights by as much in every direction.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. The matrix
of a step is replaced by the orthogonal one nearest to it, which products of matrices alone compute
(a Newton-Schulz iteration), so that rare directions of the gradient count as much as others.

``torch.optim.Muon`` moves two-dimensional weights alike, but for rounding. It refuses kernels of
convolutions, biases and norms, which would then need a second optimizer.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from cuello.train.optimizers import BETAS, EPSILON, GroupedOptimizer
from cuello.train.placement import native_bf16

__all__ = ["Muon", "is_matrix", "orthogonal"]

SMALLEST = 16
"""Rows and columns below which weights do not count as a matrix: class scores, pixel filters."""
OTHERS = 0.04
"""Rate of all other weights, which move by Adam, as a share of the rate."""
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the iteration's polynomial, which moves singular values to between about 0.7 and 1.2."""
_NEWTON_SCHULZ_STEPS = 4


@final
class Muon(GroupedOptimizer):
    """Move matrices by orthogonal steps with Nesterov momentum, and all other weights by Adam.

    Kernels of convolutions count as matrices, one row an output channel. A step moves the output of
    a layer by a share ``lr`` of its input. ``weight_decay`` is decoupled, and of matrices only.
    """

    def move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        """Move matrices by orthogonal steps, and other weights by Adam."""
        for weight, gradient in zip(weights, gradients, strict=True):
            slots = self.state.setdefault(weight, {})
            if is_matrix(weight):
                self._step_matrix(weight, gradient, slots, group)
            else:
                self._step_by_adam(weight, gradient, slots, group["lr"])

    def _step_matrix(
        self, weight: Tensor, gradient: Tensor, slots: dict[str, Tensor], group: dict[str, Any]
    ) -> None:
        if not slots:
            slots["velocity"] = torch.zeros_like(weight)
        velocity = slots["velocity"].mul_(group["momentum"]).add_(gradient)
        ahead = gradient.add(velocity, alpha=group["momentum"]).flatten(1)
        rows, columns = ahead.shape
        # A tall matrix is moved by more: else an output would move by less than in a wide one.
        rate = group["lr"] * max(1.0, rows / columns) ** 0.5
        weight.mul_(1.0 - group["lr"] * group["weight_decay"])
        weight.add_(orthogonal(ahead).view_as(weight), alpha=-rate)

    def _step_by_adam(
        self, weight: Tensor, gradient: Tensor, slots: dict[str, Tensor], rate: float
    ) -> None:
        if not slots:
            slots["steps"] = torch.zeros(())
            slots["mean"], slots["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
        slots["steps"] += 1
        corrected = [1.0 - beta ** float(slots["steps"]) for beta in BETAS]
        slots["mean"].lerp_(gradient, 1.0 - BETAS[0])
        slots["square"].lerp_(gradient.square(), 1.0 - BETAS[1])
        size = (slots["square"] / corrected[1]).sqrt_().add_(EPSILON)
        weight.addcdiv_(slots["mean"], size, value=-OTHERS * rate / corrected[0])


def is_matrix(weight: Tensor) -> bool:
    """Return whether weights are a matrix large enough for orthogonal steps."""
    return weight.ndim > 1 and min(len(weight), weight[0].numel()) >= SMALLEST


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix of this shape whose singular values are all near 1."""
    x = matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix
    # Enough digits, as the iteration corrects itself; emulated it is 7 to 30 times as slow.
    bf16 = native_bf16(matrix.device)
    x = x.bfloat16() if bf16 else x.float()
    x = x / x.norm().clamp(min=1e-7)
    x = _iterate(x) if bf16 else _iterate_on_gram(x)
    orthogonal_matrix: Tensor = x.mT if matrix.shape[0] > matrix.shape[1] else x
    return orthogonal_matrix.to(matrix.dtype)


def _iterate(x: Tensor) -> Tensor:
    """Return p(...p(x)) for wide x, with p(x) = a x + b (x x') x + c (x x')^2 x."""
    a, b, c = _COEFFICIENTS
    for _ in range(_NEWTON_SCHULZ_STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    return x


def _iterate_on_gram(x: Tensor) -> Tensor:
    """Return what :func:`_iterate` does, in two products with x; bfloat16 has too few digits."""
    # Each step multiplies x by a polynomial of x x'; these commute, and are multiplied first.
    a, b, c = _COEFFICIENTS
    square, product = x @ x.mT, None
    for step in range(_NEWTON_SCHULZ_STEPS):
        factor = torch.addmm(square, square, square, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if step < _NEWTON_SCHULZ_STEPS - 1:
            square = factor @ square @ factor
    assert product is not None
    return product @ x
