"""The optimizers, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cuello.registry import Registry
from cuello.train.muon import Muon

__all__ = ["OPTIMIZERS"]

OPTIMIZERS: Registry[Callable[[Any, float, float, float], torch.optim.Optimizer]] = Registry(
    "optimizer"
)
"""Functions of parameter groups, learning rate, momentum and weight decay."""


@OPTIMIZERS.register("adam")
def _build_adam(groups: Any, rate: float, momentum: float, decay: float) -> torch.optim.Optimizer:
    """Scale each weight's step by the size of its recent gradients."""
    return torch.optim.Adam(groups, lr=rate, weight_decay=decay, fused=True)


@OPTIMIZERS.register("adamw")
def _build_adamw(groups: Any, rate: float, momentum: float, decay: float) -> torch.optim.Optimizer:
    """Move as Adam does, with weight decay apart from the gradient."""
    return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=True)


@OPTIMIZERS.register("muon")
def _build_muon(groups: Any, rate: float, momentum: float, decay: float) -> torch.optim.Optimizer:
    """Move matrices by orthogonal steps, which want a learning rate near 0.05."""
    return Muon(groups, lr=rate, momentum=momentum, weight_decay=decay)


@OPTIMIZERS.register("rmsprop")
def _build_rmsprop(
    groups: Any, rate: float, momentum: float, decay: float
) -> torch.optim.Optimizer:
    """Scale each weight's step by the mean square of its gradients, with momentum."""
    return torch.optim.RMSprop(  # has no fused form
        groups, lr=rate, momentum=momentum, weight_decay=decay, foreach=True
    )


@OPTIMIZERS.register("sgd")
def _build_sgd(groups: Any, rate: float, momentum: float, decay: float) -> torch.optim.Optimizer:
    """Follow the gradient, with momentum."""
    return torch.optim.SGD(groups, lr=rate, momentum=momentum, weight_decay=decay, fused=True)
