"""Activations and initializers by name, and layers between samples, images and vectors of pixels.

Shapes: B samples of a batch, C channels, H height and W width in pixels.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello.errors import InputError
from cuello.options import Range
from cuello.registry import Registry

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "FlattenPixels",
    "Initializer",
    "ToImage",
    "ToSample",
    "UnflattenPixels",
    "UpConvolution",
    "check_common",
    "initialize",
]


ACTIVATIONS: Registry[Callable[[], nn.Module]] = Registry("activation")
"""Makers of nonlinearities, which come after a layer, by name."""
ACTIVATIONS.add("elu", nn.ELU)
ACTIVATIONS.add("gelu", nn.GELU)
ACTIVATIONS.add("identity", nn.Identity)
ACTIVATIONS.add("leaky_relu", lambda: nn.LeakyReLU(0.1))
ACTIVATIONS.add("relu", nn.ReLU)
ACTIVATIONS.add("sigmoid", nn.Sigmoid)
ACTIVATIONS.add("silu", nn.SiLU, aliases=("swish",))
ACTIVATIONS.add("softplus", nn.Softplus)
ACTIVATIONS.add("tanh", nn.Tanh)


@dataclass(frozen=True)
class Initializer:
    """A distribution of first weights (outputs, inputs, ...) and biases.

    ``fill`` writes into a tensor and returns it; None leaves PyTorch's own weights and biases.
    """

    fill: Callable[[Tensor], Tensor] | None
    fill_bias: Callable[[Tensor], Tensor] = nn.init.zeros_


INITIALIZERS: Registry[Initializer] = Registry("initializer")
"""Initializers by name."""
_draw_uniform = functools.partial(nn.init.uniform_, a=-1.0, b=1.0)
_he_normal = functools.partial(nn.init.kaiming_normal_, nonlinearity="relu")
_he_uniform = functools.partial(nn.init.kaiming_uniform_, nonlinearity="relu")
INITIALIZERS.add("default", Initializer(None))  # U(-1/sqrt(inputs), 1/sqrt(inputs)), biases too
INITIALIZERS.add("he_normal", Initializer(_he_normal))
INITIALIZERS.add("he_uniform", Initializer(_he_uniform))
INITIALIZERS.add("orthogonal", Initializer(nn.init.orthogonal_))
INITIALIZERS.add("uniform", Initializer(_draw_uniform, _draw_uniform))
INITIALIZERS.add("xavier_normal", Initializer(nn.init.xavier_normal_))
INITIALIZERS.add("xavier_uniform", Initializer(nn.init.xavier_uniform_))


def check_common(hidden: Sequence[int], dropout: float) -> None:
    """Refuse widths and rates that no network can have."""
    Range(0.0, 1.0, open_high=True).check("dropout", dropout)
    if any(width < 1 for width in hidden):
        raise InputError(argument="hidden", value=tuple(hidden), allowed="widths of 1 or more")


WeightedLayer = TypeVar(
    "WeightedLayer", bound=nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.RNNBase
)


@torch.no_grad()
def initialize(layer: WeightedLayer, name: str) -> WeightedLayer:
    """Fill weights and biases by the named initializer; a kernel counts as a dense layer."""
    initializer = INITIALIZERS[name]
    if initializer.fill is None:
        return layer
    for parameter in layer.parameters():
        if isinstance(layer, nn.RNNBase):
            gates = torch.split(parameter, layer.hidden_size)
        elif isinstance(layer, nn.ConvTranspose2d) and parameter.ndim > 1:
            # It alone keeps its inputs first; the formulas count what comes second as inputs.
            weight = parameter.transpose(0, 1)
            weight.copy_(initializer.fill(weight.new_empty(weight.shape)))
            continue
        else:
            gates = (parameter,)
        for gate in gates:
            (initializer.fill if gate.ndim > 1 else initializer.fill_bias)(gate)
    return layer


class ToImage(nn.Module):
    """Turn samples (B, H, W) or (B, C, H, W) into (B, C, H, W) with channels innermost in memory.

    Convolutions on processors are fastest in that order and keep it. Weights stay in PyTorch's:
    reordering them measured no gain, and fused optimizers want weight and state in one order.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W)."""
        if x.ndim == 4 and x.shape[1] > 1:
            return x.contiguous(memory_format=torch.channels_last)
        # One channel is in either order: by its strides alone convolutions tell which is meant.
        gray = x.squeeze(1) if x.ndim == 4 else x
        return gray.contiguous().unsqueeze(-1).permute(0, 3, 1, 2)


class FlattenPixels(nn.Module):
    """Turn images (B, C, H, W) into (B, H * W * C), without a copy where channels are innermost."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, H * W * C)."""
        return x.permute(0, 2, 3, 1).flatten(1)


class UnflattenPixels(nn.Module):
    """Turn (B, H * W * C) into images (B, C, H, W): undoes :class:`FlattenPixels`."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.shape = (height, width, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W)."""
        # Not len(x): an exported network takes any number of samples.
        return x.view(x.shape[0], *self.shape).permute(0, 3, 1, 2)


class ToSample(nn.Module):
    """Turn images (B, C, H, W) into samples of a shape (H, W) or (C, H, W): undoes ToImage."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.flat = len(shape) == 2

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, H, W) or (B, C, H, W)."""
        return (x.squeeze(1) if self.flat else x).contiguous()


class UpConvolution(nn.Conv2d):
    """Repeat each pixel 2 x 2 times (nearest up-sampling), convolve, and crop to ``size`` (H, W).

    Unlike a transposed convolution it leaves no checkerboard: Odena et al., "Deconvolution and
    checkerboard artifacts", Distill 2016. Pixels that repeat one another meet weights that can be
    added up beforehand, and what is left is a transposed convolution with a kernel one larger:
    4 x 4 / 4 multiplications a pixel and channel instead of 3 x 3, and no enlarged image is ever
    made. A training step is about twice as fast for it.
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int, size: tuple[int, int]) -> None:
        super().__init__(inputs, outputs, kernel_size, padding=kernel_size // 2)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, *size)."""
        # A transposed convolution runs the kernel backwards, from inputs to outputs.
        flipped = self.weight.flip(2, 3).transpose(0, 1)
        shifts = itertools.product((0, 1), repeat=2)
        added = sum(F.pad(flipped, (a, 1 - a, b, 1 - b)) for a, b in shifts)
        assert isinstance(added, Tensor)
        y = F.conv_transpose2d(x, added, self.bias, stride=2, padding=self.padding)  # type: ignore[arg-type]
        height, width = self.size
        return y[:, :, :height, :width]
