"""Stacks of plain dense autoencoders under squared error: what compiled steps can train.

Such a network is a list of sizes and activations. Hundreds of them, over thousands of epochs, are
what studies of learning rates and architectures consist of.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cuello.kinds.plain import Plain
from cuello.train.callbacks import Callback
from cuello.train.config import ADAPTIVE_EPOCHS, TrainingConfig, adapted_rate
from cuello.train.loop import row_order
from cuello.train.rows import Rows, batch_bounds
from cuello.train.stack import Histories
from cuello_labs.kernels.steps import train_compiled
from cuello_labs.kernels.supported import ACTIVATIONS

__all__ = ["Layers", "layers_of", "train_plain_dense"]

_ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.Identity: "identity",
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
}

_ORDER_BYTES = 64 * 2**20  # of the orders of samples that are held at once
_LOOKS = 50  # calls of the progress callback


@dataclass(frozen=True)
class Layers:
    """Layers of a plain dense autoencoder: units from input to output, activations between.

    ``scale`` times the sum of squared errors is the loss of a row.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    scale: float


def layers_of(model: nn.Module) -> Layers | None:
    """Return the layers of a network, or None if compiled steps cannot train it.

    Examples
    --------
    >>> from cuello import Autoencoder
    >>> X = np.random.default_rng(0).normal(size=(9, 4))
    >>> options = {"hidden": (3,), "latent_dim": 2, "activation": "tanh", "linear_skip": False}
    >>> layers_of(Autoencoder("plain", **options).initialize(X).module_)
    Layers(sizes=(4, 3, 2, 3, 4), activations=('tanh', 'identity', 'tanh', 'identity'), scale=0.25)
    >>> layers_of(Autoencoder("denoising", **options).initialize(X).module_)
    """
    if type(model) is not Plain:
        return None
    loss = model.reconstruction
    if loss.loss != "mse" or loss.missing or loss.output not in ACTIVATIONS:
        return None
    sizes: list[int] = []
    activations: list[str] = []
    for module in (m for half in (model.encoder, model.decoder) for m in half.modules()):
        if isinstance(module, nn.Sequential | nn.Flatten | nn.Unflatten):
            continue
        if type(module) is nn.Linear and module.bias is not None:
            sizes = sizes or [module.in_features]
            sizes.append(module.out_features)
            activations.append("identity")
        elif type(module) in _ACTIVATIONS and activations and activations[-1] == "identity":
            activations[-1] = _ACTIVATIONS[type(module)]
        else:
            return None
    if not sizes or len(list(model.parameters())) != 2 * len(activations):
        return None
    if activations[-1] != "identity":
        return None
    activations[-1] = loss.output
    scale = 1.0 if loss.reduction == "sum" else 1.0 / sizes[-1]
    return Layers(tuple(sizes), tuple(activations), scale)


def train_plain_dense(
    layers: Layers,
    weights: npt.NDArray[np.float32],
    rows: Rows,
    configs: Sequence[TrainingConfig],
    callbacks: Callback,
) -> Histories:
    """Train N networks in place of their flat weights (N, P).

    A network whose loss stops being finite ends with the last weights that were seen finite.
    """
    config, count = configs[0], len(rows)
    bounds = batch_bounds(count, config.batch_size)
    steps = len(bounds)
    x = rows.x.reshape(count, -1).numpy()
    state = [weights, np.zeros_like(weights), np.zeros_like(weights)]
    good = weights.copy()
    first = np.array([each.learning_rate for each in configs])
    rates = first.copy()
    losses = np.empty((len(configs), config.epochs))
    used_rates = np.empty_like(losses)
    common: dict[str, Any] = {
        "sizes": layers.sizes,
        "activations": layers.activations,
        "rows": x,
        "targets": x,
        "bounds": [start for start, _ in bounds] + [count],
        "optimizer": config.optimizer,
        "momentum": _column(configs, "momentum"),
        "weight_decay": _column(configs, "weight_decay"),
        "scale": layers.scale,
    }
    started = time.perf_counter()
    # All rows at once have no order.
    fixed = _orders(configs, [0], count) if config.shuffle != "always" or steps == 1 else None
    step = _epochs_a_call(config, len(configs), count)
    for start in range(0, config.epochs, step):
        stop = min(start + step, config.epochs)
        if config.schedule == "adaptive" and start:
            rates = adapted_rate(
                rates, first, losses[:, max(0, start - ADAPTIVE_EPOCHS - 1) : start].T
            )
        all_steps = np.arange(start * steps, stop * steps)
        factors = [config.rate_factor(k / (config.epochs * steps)) for k in all_steps.tolist()]
        losses[:, start:stop] = train_compiled(
            *state,
            **common,
            order=_orders(configs, range(start, stop), count) if fixed is None else fixed,
            epochs=stop - start,
            rates=rates.astype(np.float32),
            factors=np.array(factors, dtype=np.float32),
            steps_before=start * steps,
        )
        used_rates[:, start:stop] = rates[:, None] * np.array(factors)[steps - 1 :: steps]
        finite = np.isfinite(weights).all(axis=1)
        good[finite] = weights[finite]
        callbacks.on_step_end(stop * steps, config.epochs * steps)
    weights[:] = good
    seconds = (time.perf_counter() - started) / config.epochs / len(configs)
    # A loss beyond float32 overflows here as it does there.
    losses[np.abs(losses) > np.finfo(np.float32).max] = np.inf
    return Histories(
        train={"reconstruction": losses}, validation=None, rates=used_rates, seconds=seconds
    )


def _orders(
    configs: Sequence[TrainingConfig], epochs: Sequence[int], rows: int
) -> npt.NDArray[np.int32]:
    """Return the order of the rows in each of these epochs, (N, epochs, n)."""
    orders = [torch.stack([row_order(each, epoch, rows) for epoch in epochs]) for each in configs]
    return torch.stack(orders).numpy().astype(np.int32)


def _epochs_a_call(config: TrainingConfig, networks: int, rows: int) -> int:
    if config.schedule == "adaptive":
        return 1  # each epoch's rate follows from the losses of those before
    fits = _ORDER_BYTES // (4 * networks * rows)
    return max(1, min(fits, -(-config.epochs // _LOOKS)))


def _column(configs: Sequence[TrainingConfig], name: str) -> npt.NDArray[np.float32]:
    return np.array([getattr(config, name) for config in configs], dtype=np.float32)
