"""Layers of a network, their sizes, and how often a sample uses each weight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["LayerSummary", "evaluating", "multiplications", "note_uses", "summarize", "total"]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Compute in evaluation mode and without gradient; afterwards every module is as it was."""
    was_training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in was_training:
            module.training = True


def note_uses(network: nn.Module, x: Tensor) -> Tensor:
    """Run samples through a network and note at each layer, as ``weight_uses``, how often it works.

    A dense layer uses its weights once a sample, a convolution once a pixel, a recurrent layer once
    a time step. The output is returned; the network is unchanged but for the notes.
    """
    uses: dict[nn.Module, int] = {}

    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        uses[layer] = uses.get(layer, 0) + _uses(layer, inputs[0], output) // len(x)

    with ExitStack() as hooks:
        for layer in network.modules():
            if isinstance(layer, nn.Linear | _ConvNd | nn.RNNBase):
                hooks.enter_context(layer.register_forward_hook(note))
        with evaluating(network):
            out: Tensor = network(x)
    for layer, times in uses.items():
        layer.weight_uses = times  # type: ignore[assignment]
    return out


def _uses(layer: nn.Module, x: Any, output: Any) -> int:
    """Return how often a call used the weights: its numbers by those of one use."""
    if isinstance(layer, _ConvNd):
        # Every weight meets every pixel of the smaller image.
        pixels, channels = (
            (x, layer.in_channels) if layer.transposed else (output, layer.out_channels)
        )
        return int(pixels.numel() // channels)
    x = x if isinstance(x, Tensor) else x.data  # packed sequences
    return int(x.numel() // x.shape[-1])


def multiplications(model: nn.Module) -> int:
    """Return the multiplications of one sample: weights and biases times noted uses, at least 1."""
    uses = {
        weight: getattr(layer, "weight_uses", 1)
        for layer in model.modules()
        for weight in layer.parameters(recurse=False)
    }
    return sum(weight.numel() * times for weight, times in uses.items())


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

    One sample of zeros, of this shape, goes through the encoder, and one of this width through the
    decoder: in evaluation mode, without gradient, and without touching random numbers or batch
    statistics. Modules that hold others are left out unless they compute something themselves.
    """
    seen: set[Tensor] = set()
    return [
        *_walk("encoder", encoder, torch.zeros(1, *shape), seen),
        *_walk("decoder", decoder, torch.zeros(1, width), seen),
    ]


def total(layers: Sequence[LayerSummary]) -> LayerSummary:
    """Add up layers; the shape is that of the last one."""
    return LayerSummary(
        name="total",
        type="",
        output_shape=layers[-1].output_shape if layers else (),
        parameters=sum(layer.parameters for layer in layers),
        bytes=sum(layer.bytes for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
    )


def _walk(name: str, network: nn.Module, x: Tensor, seen: set[Tensor]) -> list[LayerSummary]:
    counter = FlopCounterMode(display=False)
    running: list[nn.Module] = []
    counted = 0  # up to the last call of a hook
    # Without submodules, in the order in which a sample meets them.
    flops: dict[nn.Module, int] = defaultdict(int)
    recurrent: dict[nn.Module, int] = defaultdict(int)
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def attribute() -> None:
        """Add what was computed since the last call to the module that is running."""
        nonlocal counted
        before, counted = counted, counter.get_total_flops()
        if running:
            flops[running[-1]] += counted - before

    def enter(module: nn.Module, inputs: Any) -> None:
        attribute()
        flops[module] += 0
        running.append(module)

    def leave(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        attribute()
        running.pop()
        if isinstance(module, nn.RNNBase):
            # Some recurrent kernels are one operation, which the counter does not know.
            matrices = sum(p.numel() for p in module.parameters() if p.ndim == 2)
            recurrent[module] += 2 * matrices * inputs[0].shape[:-1].numel()
        first = output if isinstance(output, Tensor) else output[0]
        shapes[module] = tuple(first.shape[1:])

    with ExitStack() as hooks:
        for module in network.modules():
            hooks.enter_context(module.register_forward_pre_hook(enter))
            hooks.enter_context(module.register_forward_hook(leave))
        with torch.random.fork_rng(devices=[]), evaluating(network), counter:
            network(x)
    names = {module: f"{name}.{path}".rstrip(".") for path, module in network.named_modules()}
    layers = []
    for module, spent in (flops | recurrent).items():
        parameters = [p for p in module.parameters(recurse=False) if p not in seen]
        buffers = [b for b in module.buffers(recurse=False) if b not in seen]
        seen.update(parameters, buffers)
        if not (parameters or spent) and any(True for _ in module.children()):
            continue
        layers.append(
            LayerSummary(
                name=names[module],
                type=type(module).__name__,
                output_shape=shapes[module],
                parameters=sum(p.numel() for p in parameters),
                bytes=sum(t.numel() * t.element_size() for t in (*parameters, *buffers)),
                multiply_adds=spent // 2,  # a multiplication and an addition each
            )
        )
    return layers
