"""Many networks of one shape, trained as one stacked computation.

Weights of N networks lie side by side, (N, ...), and every operation of a step is done once for all
of them: one small network alone keeps a processor waiting for the next instruction. The results are
those of :func:`cuello.train.train`, network by network; only random draws inside a loss (noise,
dropout, sampled embeddings) are other draws of the same distribution.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from cuello.errors import DivergedError
from cuello.networks import multiplications
from cuello.train.callbacks import Callback, combine
from cuello.train.config import TrainingConfig, training_options
from cuello.train.loop import Trainable
from cuello.train.placement import choose_placement
from cuello.train.rows import Rows, batch_bounds
from cuello.train.stack import Histories, NetworkHistory, Stack
from cuello.train.state import Epoch, divergence_error
from cuello.train.stepper import STACKED_OPTIMIZERS

__all__ = ["PER_NETWORK", "Outcome", "fastest_strategy", "train_many", "why_not_stackable"]

_BYTES = 512 * 2**20
"""Memory that one stack may take; more networks are trained one stack after another."""

# Multiplications in a pass of one network over a batch, up to which compiled steps and stacks were
# the fastest (`python -m benchmarks many_sizes`). Compiled steps go row by row; a matrix product
# takes over where it is large enough to keep a processor busy, and one network after another where
# the weights of several no longer fit into its caches.
_COMPILED_WORK = 512 * 1024
_STACKED_WORK = 2 * 1024**2

PER_NETWORK = ("learning_rate", "momentum", "weight_decay", "seed")
"""Options that may differ between the networks of a stack."""


@dataclass(frozen=True)
class Outcome:
    """Hold the result of training one network.

    ``error`` is None unless its loss stopped being finite; the network then has its last good
    weights, and ``history`` ends before that epoch.
    """

    history: Sequence[Epoch]
    error: DivergedError | None = None


class CompiledBackend(Protocol):
    """Describe a module that trains some stacks of networks by compiled steps."""

    def available(self) -> bool:
        """Return whether its compiler is installed."""

    def train(
        self,
        models: Sequence[nn.Module],
        rows: Rows,
        configs: Sequence[TrainingConfig],
        callbacks: Callback,
    ) -> Histories | None:
        """Train networks in place; None, and nothing changed, if it cannot train such networks."""


@functools.cache
def compiled_backend() -> CompiledBackend | None:
    """Return the first usable module behind the entry point ``cuello.compiled_training``."""
    for entry in entry_points(group="cuello.compiled_training"):
        backend: CompiledBackend = entry.load()
        if backend.available():
            return backend
    return None


def why_not_stackable(models: Sequence[nn.Module], configs: Sequence[TrainingConfig]) -> str:
    """Return the reason why networks cannot be trained as one stack; empty if they can.

    They must have the same layers and one optimizer each, be small enough to leave a processor
    idle when trained alone, and have the same options but for learning rate, momentum, weight decay
    and seed. That their losses compute the same is for the caller to know.
    """
    first, config = models[0], configs[0]
    shapes = _shapes(first)
    if any(_shapes(model) != shapes for model in models[1:]):
        return "the networks differ in their layers"
    common = _common(config)
    different = {k for other in configs[1:] for k, v in _common(other).items() if v != common[k]}
    if different:
        return f"the trainings differ in {', '.join(sorted(different))}"
    if getattr(first, "neighbours", 0):
        return "each draws neighbours of its samples"
    if config.patience is not None or config.max_time is not None:
        return "patience or max_time stops each network at its own time"
    optimizers = cast("Trainable", first).optimizers()
    groups = [group for each in optimizers.values() for group in each]
    if len(groups) != 1 or "lr_scale" in groups[0] or len(groups[0]["params"]) != len(shapes):
        return "more than one optimizer, or several rates"
    if config.optimizer not in STACKED_OPTIMIZERS:
        return f"there are no stacked steps of optimizer={config.optimizer!r}"
    placement = choose_placement(config.device, config.precision, config.batch_size, first)
    if config.device != "auto" and placement.device.type != "cpu":
        return f"stacks are trained on the processor, and device={config.device!r} was asked for"
    if placement.threads > 1 or placement.bf16 or fastest_strategy(first, config) == "one by one":
        return "one of these networks is work enough for the machine"
    return ""


def fastest_strategy(model: nn.Module, config: TrainingConfig) -> str:
    """Return ``compiled``, ``stacked`` or ``one by one``, the fastest by the work of a step."""
    work = multiplications(model) * config.batch_size
    if work > _STACKED_WORK:
        return "one by one"
    return "compiled" if work <= _COMPILED_WORK and compiled_backend() else "stacked"


def train_many(
    models: Sequence[nn.Module],
    rows: Rows,
    configs: Sequence[TrainingConfig],
    *,
    validation: Rows | None = None,
    augment: Callable[[Tensor], Tensor] | None = None,
    callbacks: object = None,
) -> list[Outcome]:
    """Train networks in place that are stackable by :func:`why_not_stackable`.

    All see the same samples, each by its own configuration and in its own order. Of the callbacks,
    ``on_step_end`` alone is called, and counts the steps of all stacks.
    """
    callback = combine(callbacks)
    first = configs[0]
    strategy = fastest_strategy(models[0], first)
    backend = compiled_backend() if strategy == "compiled" else None
    if backend and validation is None and augment is None and first.gradient_clip is None:
        histories = backend.train(models, rows, configs, callback)
        if histories is not None:
            return _outcomes(histories, configs, rows)
    size = max(1, _BYTES // _bytes_each(models[0], rows, first))
    parts = [slice(start, start + size) for start in range(0, len(models), size)]
    steps = first.epochs * len(batch_bounds(len(rows), first.batch_size))
    alone = choose_placement(first.device, first.precision, first.batch_size, models[0])
    outcomes: list[Outcome] = []
    for i, part in enumerate(parts):
        counting = _shift(callback, i * steps, len(parts) * steps)
        stack = Stack(models[part], configs[part], rows, validation, augment, counting)
        # One thread: two were no faster on small matrices, and wait for one another on a machine
        # that has other work (`python -m benchmarks many`).
        with torch.random.fork_rng(devices=[]), alone.limit_threads():
            outcomes += _outcomes(stack.train(), configs[part], rows)
    return outcomes


def _shift(callbacks: Callback, before: int, total: int) -> Callback:
    return Callback(on_step_end=lambda done, _: callbacks.on_step_end(before + done, total))


def _outcomes(histories: Histories, configs: Sequence[TrainingConfig], rows: Rows) -> list[Outcome]:
    totals = np.sum(list(histories.train.values()), axis=0)
    outcomes = []
    for i, (config, losses) in enumerate(zip(configs, totals, strict=True)):
        finite = np.isfinite(losses)
        epochs, error = len(losses), None
        if not finite.all():
            epochs = int(finite.argmin())
            steps = len(batch_bounds(len(rows), config.batch_size))
            last = (epochs + 1) * steps - 1  # or an earlier one of that epoch
            terms = {name: float(values[i, epochs]) for name, values in histories.train.items()}
            error = divergence_error(last, terms, losses[:epochs].tolist(), config, rows)
        outcomes.append(Outcome(NetworkHistory(histories, i, epochs), error))
    return outcomes


def _shapes(model: nn.Module) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(weight.shape)) for name, weight in model.named_parameters())


def _common(config: TrainingConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in training_options() if name not in PER_NETWORK}


def _bytes_each(model: nn.Module, rows: Rows, config: TrainingConfig) -> int:
    """Estimate the memory of one network: weights, gradients, moments, layer outputs of a batch."""
    weights = sum(weight.numel() for weight in model.parameters())
    widths = sum(weight.shape[0] for weight in model.parameters() if weight.ndim > 1)
    batch = min(config.batch_size, len(rows))
    stages = batch * (4 * widths + 2 * rows.x[0].numel())
    return 4 * (6 * weights + stages)
