"""Activations and initializers by name, shared by every network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from cuello.errors import InputError
from cuello.options import Range
from cuello.registry import Registry

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "Activation",
    "Initializer",
    "activation_layer",
    "check_common",
    "find_initializer",
    "initialize",
]


@dataclass(frozen=True)
class Activation:
    """A nonlinearity after a layer; ``build()`` makes a new one."""

    display_name: str
    summary: str
    build: Callable[[], nn.Module]


ACTIVATIONS: Registry[Activation] = Registry("activation")
"""Activations by name."""
ACTIVATIONS.add("elu", Activation("ELU", "x above 0, exp(x) - 1 below.", nn.ELU))
ACTIVATIONS.add("gelu", Activation("GELU", "x times the chance of a normal below x.", nn.GELU))
ACTIVATIONS.add("identity", Activation("Identity", "x itself: a linear layer.", nn.Identity))
ACTIVATIONS.add(
    "leaky_relu", Activation("Leaky ReLU", "x above 0, x / 10 below.", lambda: nn.LeakyReLU(0.1))
)
ACTIVATIONS.add("relu", Activation("ReLU", "x above 0, 0 below.", nn.ReLU))
ACTIVATIONS.add("sigmoid", Activation("Sigmoid", "From 0 to 1.", nn.Sigmoid))
ACTIVATIONS.add("silu", Activation("SiLU", "x times its sigmoid.", nn.SiLU), aliases=("swish",))
ACTIVATIONS.add("softplus", Activation("Softplus", "A smooth ReLU.", nn.Softplus))
ACTIVATIONS.add("tanh", Activation("Tanh", "From -1 to 1.", nn.Tanh))


@dataclass(frozen=True)
class Initializer:
    """A distribution of first weights (outputs, inputs, ...).

    ``fill`` writes into a tensor and returns it; None leaves PyTorch's own weights and biases.
    Biases are zeros, or drawn like the weights.
    """

    display_name: str
    summary: str
    fill: Callable[[Tensor], Tensor] | None
    draws_biases: bool = False

    def fill_bias(self, bias: Tensor) -> None:
        """Fill a bias in place."""
        if self.fill is not None and self.draws_biases:
            self.fill(bias)
        else:
            nn.init.zeros_(bias)


def _uniform_one(weight: Tensor) -> Tensor:
    return nn.init.uniform_(weight, -1.0, 1.0)


def _he_normal(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


def _he_uniform(weight: Tensor) -> Tensor:
    return nn.init.kaiming_uniform_(weight, nonlinearity="relu")


INITIALIZERS: Registry[Initializer] = Registry("initializer")
"""Initializers by name."""
_HE, _XAVIER = "Variance 2 / inputs, for ReLU.", "Variance 2 / (inputs + outputs)."
INITIALIZERS.add(
    "default", Initializer("PyTorch", "U(-1/sqrt(inputs), 1/sqrt(inputs)), biases too.", None)
)
INITIALIZERS.add("he_normal", Initializer("He, normal", _HE, _he_normal))
INITIALIZERS.add("he_uniform", Initializer("He, uniform", _HE, _he_uniform))
INITIALIZERS.add(
    "orthogonal", Initializer("Orthogonal", "Orthonormal vectors.", nn.init.orthogonal_)
)
INITIALIZERS.add(
    "uniform", Initializer("Uniform", "U(-1, 1), biases too.", _uniform_one, draws_biases=True)
)
INITIALIZERS.add("xavier_normal", Initializer("Xavier, normal", _XAVIER, nn.init.xavier_normal_))
INITIALIZERS.add("xavier_uniform", Initializer("Xavier, uniform", _XAVIER, nn.init.xavier_uniform_))


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
    return ACTIVATIONS[ACTIVATIONS.resolve(name)].build()


def check_common(hidden: Sequence[int], dropout: float) -> None:
    """Refuse widths and rates that no network can have."""
    Range(0.0, 1.0, open_high=True).check("dropout", dropout)
    if any(width < 1 for width in hidden):
        raise InputError(argument="hidden", value=tuple(hidden), allowed="widths of 1 or more")


WeightedLayer = TypeVar("WeightedLayer", bound=nn.Linear | nn.Conv2d | nn.ConvTranspose2d)


def initialize(layer: WeightedLayer, name: str) -> WeightedLayer:
    """Fill a layer's weights and biases by the named initializer.

    A convolution counts as a dense layer from all that its kernel covers, as usual.
    """
    initializer = find_initializer(name)
    if initializer.fill is not None:
        with torch.no_grad():
            if isinstance(layer, nn.ConvTranspose2d):
                # It alone keeps its inputs first; the formulas count what comes second as inputs.
                weight = layer.weight.transpose(0, 1)
                weight.copy_(initializer.fill(weight.new_empty(weight.shape)))
            else:
                initializer.fill(layer.weight)
            if layer.bias is not None:
                initializer.fill_bias(layer.bias)
    return layer


def find_initializer(name: str) -> Initializer:
    """Return the named initializer.

    Raises
    ------
    InputError
        If the name is not in ``INITIALIZERS``.
    """
    return INITIALIZERS[INITIALIZERS.resolve(name)]
