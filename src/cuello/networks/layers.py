"""Activations and initializers by name, shared by every network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from cuello.errors import InputError, unknown

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "activation_layer",
    "check_common",
    "fill_bias",
    "initialize",
    "initializer",
]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "identity": nn.Identity,
    "leaky_relu": lambda: nn.LeakyReLU(0.1),
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


def _uniform_one(weight: Tensor) -> Tensor:
    return nn.init.uniform_(weight, -1.0, 1.0)


def _he_normal(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


def _he_uniform(weight: Tensor) -> Tensor:
    return nn.init.kaiming_uniform_(weight, nonlinearity="relu")


INITIALIZERS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "default": None,  # PyTorch's own: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), biases too
    "he_normal": _he_normal,
    "he_uniform": _he_uniform,
    "orthogonal": nn.init.orthogonal_,
    "uniform": _uniform_one,  # U(-1, 1), biases too: the 7x5 character experiments
    "xavier_normal": nn.init.xavier_normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
}


def activation_layer(name: str) -> nn.Module:
    """Return a new activation layer.

    Raises
    ------
    InputError
        If the name is not in ``ACTIVATIONS``.

    Examples
    --------
    >>> activation_layer("relu")
    ReLU()
    """
    if name not in ACTIVATIONS:
        raise unknown("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


def check_common(hidden: Sequence[int], dropout: float) -> None:
    """Refuse widths and rates that no network can have."""
    if not 0.0 <= dropout < 1.0:
        raise InputError(f"dropout={dropout} is not a rate; use 0 (none) up to, not including, 1.")
    if any(width < 1 for width in hidden):
        raise InputError(f"hidden={tuple(hidden)} holds a width below 1; use positive widths.")


Layer = TypeVar("Layer", bound=nn.Linear | nn.Conv2d | nn.ConvTranspose2d)


def initialize(layer: Layer, name: str) -> Layer:
    """Fill a layer's weights by the named initializer, and its biases with zero.

    ``uniform`` draws the biases like the weights; ``default`` leaves what PyTorch made. A
    convolution counts as a dense layer from all that its kernel covers, as usual.
    """
    fill = initializer(name)
    if fill is not None:
        with torch.no_grad():
            if isinstance(layer, nn.ConvTranspose2d):
                # It alone keeps its inputs first; the formulas count what comes second as inputs.
                weight = layer.weight.transpose(0, 1)
                weight.copy_(fill(weight.new_empty(weight.shape)))
            else:
                fill(layer.weight)
            if layer.bias is not None:
                fill_bias(layer.bias, name)
    return layer


def initializer(name: str) -> Callable[[Tensor], Tensor] | None:
    """Return the named filling of weights (outputs, inputs, ...); None for PyTorch's own."""
    if name not in INITIALIZERS:
        raise unknown("initializer", name, INITIALIZERS)
    return INITIALIZERS[name]


def fill_bias(bias: Tensor, name: str) -> None:
    """Fill a bias as goes with weights of the named initializer; ``default`` is not for here."""
    if name == "uniform":
        _uniform_one(bias)
    else:
        nn.init.zeros_(bias)
