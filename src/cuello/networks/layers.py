"""Activations and initializers by name, shared by every network."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from cuello.errors import unknown

__all__ = ["ACTIVATIONS", "INITIALIZERS", "activation_layer", "initialize"]

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


def initialize(layer: nn.Linear, name: str) -> nn.Linear:
    """Fill a layer's weights by the named initializer, and its biases with zero.

    ``uniform`` draws the biases like the weights; ``default`` leaves what PyTorch made.
    """
    if name not in INITIALIZERS:
        raise unknown("initializer", name, INITIALIZERS)
    fill = INITIALIZERS[name]
    if fill is not None:
        fill(layer.weight)
        if layer.bias is not None:
            if fill is _uniform_one:
                fill(layer.bias)
            else:
                nn.init.zeros_(layer.bias)
    return layer
