"""Costs of a step: how often one sample uses each weight of a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["evaluating", "multiplications", "note_uses"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


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
    a time step.

    Parameters
    ----------
    network : nn.Module
        Unchanged but for the notes: evaluation mode, no gradient, no random number.
    x : Tensor
        (B, ...).

    Returns
    -------
    Tensor
        The output.

    Examples
    --------
    >>> layer = nn.Conv2d(1, 2, 3)
    >>> _ = note_uses(layer, torch.zeros(5, 1, 4, 4))
    >>> layer.weight_uses  # 2 x 2 pixels
    4
    """
    uses: dict[nn.Module, int] = {}

    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        uses[layer] = uses.get(layer, 0) + _uses(layer, inputs, output) // len(x)

    counted = (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED, nn.RNNBase)
    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, counted)]
    try:
        with evaluating(network):
            out: Tensor = network(x)
    finally:
        for hook in hooks:
            hook.remove()
    for layer, times in uses.items():
        layer.weight_uses = times  # type: ignore[assignment]
    return out


def _uses(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> int:
    """Return how often a call used its weights: its numbers by those of one use."""
    if isinstance(layer, _CONVOLUTIONS):
        return int(output.numel() // layer.out_channels)
    x = inputs[0] if isinstance(inputs[0], Tensor) else inputs[0].data  # packed sequences
    if isinstance(layer, nn.Linear):
        return int(x.numel() // layer.in_features)
    if isinstance(layer, nn.RNNBase):
        return int(x.numel() // layer.input_size)
    assert isinstance(layer, _TRANSPOSED)
    return int(x.numel() // layer.in_channels)


def multiplications(model: nn.Module) -> int:
    """Return the multiplications of one sample: weights times noted uses (once if not noted).

    Examples
    --------
    >>> multiplications(nn.Linear(2, 3))  # biases count, too
    9
    """
    uses = {
        weight: getattr(layer, "weight_uses", 1)
        for layer in model.modules()
        for weight in layer.parameters(recurse=False)
    }
    return sum(weight.numel() * times for weight, times in uses.items())
