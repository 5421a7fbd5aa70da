"""Statistics of the inputs and outputs of a network's activations."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cuello.kinds import AutoencoderModule
from cuello.networks import ACTIVATIONS

__all__ = ["SILENT", "activation_statistics", "undo"]

Array = npt.NDArray[Any]

SILENT = 0.01
"""Standard deviation over samples below which the activation of a unit counts as silent."""


@torch.no_grad()
def activation_statistics(
    module: AutoencoderModule, activation: str, X: Array
) -> tuple[Array, Array]:
    """Return statistics of the input and the output of the activation of every layer.

    As in training: batch normalisation takes mean and variance from these samples, as one batch.

    Returns
    -------
    sd : ndarray of shape (L,)
        Standard deviation over samples of the input, averaged over the units of a layer.
    silent : ndarray of shape (L,)
        Share of its units whose activation has a standard deviation over samples below ``SILENT``.
    """
    module = copy.deepcopy(module).train()  # a forward pass moves batch norm's running means
    sds: list[float] = []
    silent: list[float] = []

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        sds.append(float(inputs[0].std(0, correction=0).mean()))
        silent.append(float((output.std(0, correction=0) < SILENT).float().mean()))

    wanted = type(ACTIVATIONS[activation]())
    for layer in module.modules():
        if isinstance(layer, wanted):
            layer.register_forward_hook(note)
    module.reconstruct(torch.from_numpy(X))
    return np.array(sds), np.array(silent)


@torch.no_grad()
def undo(scale: str, seed: int) -> float:
    """Return the largest difference, in sds of a column, after scaling a batch back.

    gamma is a column's standard deviation, with or without the epsilon that the layer adds to the
    variance; beta is its mean. Samples are Gaussian in float64, with sds from 0.01 to 100.
    """
    rng = np.random.default_rng(seed)
    X = torch.from_numpy(rng.normal(size=(256, 32)) * np.logspace(-2, 2, 32) + rng.normal(size=32))
    layer = nn.BatchNorm1d(32).double().train()
    variance = X.var(0, correction=0)
    added = layer.eps if scale == "sd with epsilon" else 0.0
    layer.weight.copy_((variance + added).sqrt())
    layer.bias.copy_(X.mean(0))
    return float(((layer(X) - X).abs() / variance.sqrt()).max())
