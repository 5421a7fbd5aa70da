"""Layers of a network with their sizes and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cuello.networks.counting import evaluating

__all__ = ["LayerSummary", "summarize", "total"]


@dataclass(frozen=True, kw_only=True)
class LayerSummary:
    """One layer, as one sample meets it.

    ``parameters`` and ``bytes`` (parameters and buffers) count what layers share at the first of
    them; ``output_shape`` and ``multiply_adds`` are of one sample.
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    bytes: int
    multiply_adds: int


def summarize(
    encoder: nn.Module, decoder: nn.Module, shape: tuple[int, ...], width: int
) -> list[LayerSummary]:
    """Describe every layer of an encoder and a decoder, in the order in which a sample meets them.

    One sample of zeros goes through both, in evaluation mode, without gradient and without touching
    random numbers or batch statistics.

    Parameters
    ----------
    encoder, decoder : nn.Module
        Any networks. Modules that hold others are left out unless they compute something
        themselves.
    shape : tuple of int
        Shape of one sample.
    width : int
        Inputs of the decoder.

    Examples
    --------
    >>> coder = nn.Sequential(nn.Linear(6, 4), nn.ReLU())
    >>> for layer in summarize(coder, nn.Linear(4, 6), (6,), 4):
    ...     print(layer.name, layer.type, layer.output_shape, layer.parameters, layer.multiply_adds)
    encoder.0 Linear (4,) 28 24
    encoder.1 ReLU (4,) 0 0
    decoder Linear (6,) 30 24
    """
    seen: set[Tensor] = set()
    return [
        *_walk("encoder", encoder, torch.zeros(1, *shape), seen),
        *_walk("decoder", decoder, torch.zeros(1, width), seen),
    ]


def total(layers: Sequence[LayerSummary]) -> LayerSummary:
    """Add up layers; the shape is that of the last one.

    Examples
    --------
    >>> total(summarize(nn.Linear(6, 4), nn.Linear(4, 6), (6,), 4)).multiply_adds
    48
    """
    return LayerSummary(
        name="total",
        type="",
        output_shape=layers[-1].output_shape if layers else (),
        parameters=sum(layer.parameters for layer in layers),
        bytes=sum(layer.bytes for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
    )


class _Meter:
    """Hooks that note for each module its output's shape and the multiply-adds in between."""

    def __init__(self, counter: FlopCounterMode) -> None:
        self.counter = counter
        self.started: list[int] = []
        self.inside = [0]  # what was counted in submodules, one entry a module that is running
        self.multiply_adds: dict[nn.Module, int] = {}
        self.shapes: dict[nn.Module, tuple[int, ...]] = {}

    def enter(self, module: nn.Module, inputs: Any) -> None:
        self.shapes.setdefault(module, ())  # the order in which a sample meets them
        self.started.append(self.counter.get_total_flops())
        self.inside.append(0)

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        total_flops = self.counter.get_total_flops() - self.started.pop()
        count = (total_flops - self.inside.pop()) // 2  # a multiplication and an addition each
        self.inside[-1] += total_flops
        if isinstance(module, nn.RNNBase):
            # Some recurrent kernels are one operation, which the counter does not know.
            matrices = sum(p.numel() for p in module.parameters() if p.ndim == 2)
            count = matrices * inputs[0].shape[:-1].numel()
        self.multiply_adds[module] = self.multiply_adds.get(module, 0) + count
        first = output if isinstance(output, Tensor) else output[0]
        self.shapes[module] = tuple(first.shape[1:])


def _walk(name: str, network: nn.Module, x: Tensor, seen: set[Tensor]) -> list[LayerSummary]:
    counter = FlopCounterMode(display=False)
    meter = _Meter(counter)
    hooks = [
        hook
        for module in network.modules()
        for hook in (
            module.register_forward_pre_hook(meter.enter),
            module.register_forward_hook(meter.leave),
        )
    ]
    try:
        with torch.random.fork_rng(devices=[]), evaluating(network), counter:
            network(x)
    finally:
        for hook in hooks:
            hook.remove()
    names = {module: f"{name}.{path}".rstrip(".") for path, module in network.named_modules()}
    layers = []
    for module, shape in meter.shapes.items():
        parameters = [p for p in module.parameters(recurse=False) if p not in seen]
        buffers = [b for b in module.buffers(recurse=False) if b not in seen]
        seen.update(parameters, buffers)
        if (
            not parameters
            and not meter.multiply_adds[module]
            and any(True for _ in module.children())
        ):
            continue
        layers.append(
            LayerSummary(
                name=names[module],
                type=type(module).__name__,
                output_shape=shape,
                parameters=sum(p.numel() for p in parameters),
                bytes=sum(t.numel() * t.element_size() for t in (*parameters, *buffers)),
                multiply_adds=meter.multiply_adds[module],
            )
        )
    return layers
