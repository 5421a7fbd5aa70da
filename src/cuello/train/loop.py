"""The training loop: every model of cuello goes through this file.

Only small networks of one shape, many at once, take the same steps in :mod:`cuello.train.many`.

Read from ``train`` downwards. Nothing between two host syncs waits for the device: losses stay
there and are read once in ``_SYNC_EVERY`` steps.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from cuello import clock
from cuello.arrays import Floats
from cuello.errors import DivergedError
from cuello.kinds.base import Batch, ParameterGroups
from cuello.seeding import seed_generators
from cuello.train.callbacks import Callback, combine
from cuello.train.config import ADAPTIVE_EPOCHS, TrainingConfig, adapted_rate
from cuello.train.placement import Placement, choose_placement
from cuello.train.rows import Rows, batch_bounds
from cuello.train.state import Checkpointer, Epoch, State, divergence_error

__all__ = ["Trainable", "train"]

_SYNC_EVERY = 100
_VALIDATION_BATCH = 1024


class Trainable(Protocol):
    """The methods of a model that the loop calls, beside those of ``nn.Module``."""

    progress: float

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the named terms that this optimizer minimises."""

    def optimizers(self) -> ParameterGroups:
        """Return the parameter groups of each optimizer."""

    def active_optimizers(self, progress: float) -> Sequence[str]:
        """Return the optimizers that move in an epoch."""

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms that decide which epoch was best."""


def train(
    model: nn.Module,
    rows: Rows,
    config: TrainingConfig,
    *,
    validation: Rows | None = None,
    augment: Callable[[Tensor], Tensor] | None = None,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 10.0,
    callbacks: object = None,
    keep_start: bool = False,
) -> list[Epoch]:
    """Train a model in place and leave its best weights in it.

    Parameters
    ----------
    model : nn.Module
        Also a :class:`Trainable`. It ends on the CPU, in evaluation mode.
    rows : Rows
        Training samples, at least one; two where the model normalises over a batch.
    config : TrainingConfig
        Optimizer, schedule, epochs, ...
    validation : Rows or None
        Samples that decide which epoch was best; None keeps the last weights.
    augment : callable or None
        Applied to the ``x`` of every training batch.
    checkpoint : Path or None
        Continue from this file if it exists; write it at the end, and when interrupted.
    checkpoint_seconds : float
        Least time between two writings of the checkpoint meanwhile.
    callbacks : Callback, sequence of Callback, or None
        Called while training; see :class:`cuello.train.Callback`.
    keep_start : bool
        Whether the first weights are the best ones, if no epoch has a lower validation loss.

    Returns
    -------
    list of Epoch
        One record an epoch, those before an interruption included.

    Raises
    ------
    DivergedError
        If a loss became NaN or infinite. The model holds its last good weights.

    Continued from a checkpoint, on the CPU with as many threads, weights are the same to the bit.
    """
    callback = combine(callbacks)
    placement = choose_placement(config.device, config.precision, config.batch_size, model)
    model.to(placement.device)
    rows = rows.to(placement.device)
    held_out = None if validation is None else validation.to(placement.device)
    groups = _trainable(model).optimizers()
    state = State(model, {name: config.build_optimizer(each) for name, each in groups.items()})
    if checkpoint is not None and checkpoint.exists():
        state.load(checkpoint)
    checkpointer = Checkpointer(state, checkpoint, checkpoint_seconds)
    ended_by: BaseException | None = None
    gpus = [placement.device] if placement.device.type == "cuda" else []
    try:
        callback.on_train_begin(asdict(config) | {"initial_epoch": state.epoch})
        with torch.random.fork_rng(devices=gpus), placement.limit_threads():
            if keep_start and held_out is not None and not state.history:
                state.best_loss = sum(evaluate(state, held_out, config, placement).values())
            while True:
                plan = replace(config, epochs=affordable_epochs(config, state.history))
                if state.epoch >= plan.epochs or _is_stale(state, config):
                    break
                last = list(_trainable(model).active_optimizers(1.0))
                comparable = _active_optimizers(state, plan) == last
                epoch = _run_epoch(state, rows, held_out, plan, placement, augment, callback)
                state.record(epoch, comparable=comparable)
                callback.on_epoch_end(epoch)
                checkpointer.after_epoch()
    except BaseException as error:
        ended_by = error
        if isinstance(error, DivergedError):
            state.restore_best()
        raise
    finally:
        # Also when interrupted: what is written is the last whole epoch, never half of one.
        checkpointer.flush()
        model.to("cpu").eval()
        _trainable(model).progress = 1.0
        callback.on_train_end(ended_by)
    if held_out is not None:
        state.restore_best()
    return state.history


def _run_epoch(
    state: State,
    rows: Rows,
    held_out: Rows | None,
    config: TrainingConfig,
    placement: Placement,
    augment: Callable[[Tensor], Tensor] | None,
    callbacks: Callback,
) -> Epoch:
    started = clock.now()
    state.model.train()
    order = row_order(config, state.epoch, len(rows)).to(placement.device)
    highest = epoch_rate(config, state.history)
    bounds = batch_bounds(len(rows), config.batch_size)
    first_step, all_steps = state.epoch * len(bounds), config.epochs * len(bounds)
    model = _trainable(state.model)
    active = _active_optimizers(state, config)
    sums: dict[str, float] = {}
    pending: list[dict[str, Tensor]] = []
    rate = 0.0
    for step, (start, stop) in enumerate(bounds):
        model.progress = (first_step + step) / all_steps
        rate = highest * config.rate_factor(model.progress)
        batch = rows.take(order[start:stop], model.progress)
        if augment is not None:
            neighbour = None if batch.neighbour is None else augment(batch.neighbour)
            batch = batch._replace(x=augment(batch.x), neighbour=neighbour)
        pending.append(train_step(state, batch, active, rate, config, placement))
        if len(pending) == _SYNC_EVERY or stop == len(rows):
            done = first_step + step + 1
            losses = _to_host(pending)  # CPU-GPU sync point
            _check_finite(losses, done - len(pending), config, rows)
            weights = [b - a for a, b in bounds[step + 1 - len(pending) : step + 1]]
            for name, values in losses.items():
                sums[name] = sums.get(name, 0.0) + float(np.dot(values, weights))
            pending = []
            callbacks.on_step_end(done, all_steps)
    return Epoch(
        epoch=state.epoch,
        train={name: total / len(rows) for name, total in sums.items()},
        validation=None if held_out is None else evaluate(state, held_out, config, placement),
        learning_rate=rate,
        seconds=clock.now() - started,
    )


def affordable_epochs(config: TrainingConfig, history: Sequence[Epoch]) -> int:
    """Return how many epochs a training has in all: fewer where ``max_time`` ends it earlier.

    It follows from the seconds of the epochs so far, so that a resumed training counts them too.
    """
    if config.max_time is None or not history:
        return config.epochs
    pace = statistics.median(epoch.seconds for epoch in history[-5:])
    left = config.max_time - sum(epoch.seconds for epoch in history)
    more = config.epochs if pace <= 0 else int(left / pace)
    return min(config.epochs, len(history) + max(0, more))


def row_order(config: TrainingConfig, epoch: int, rows: int) -> Tensor:
    """Seed the random numbers of an epoch and return the order of its samples, (rows,)."""
    seed_generators(_seed(config.seed, epoch))
    if config.shuffle == "always":
        return torch.randperm(rows)
    if config.shuffle == "never":
        return torch.arange(rows)
    return torch.randperm(rows, generator=torch.Generator().manual_seed(_seed(config.seed, 0)))


def epoch_rate(config: TrainingConfig, history: Sequence[Epoch]) -> float:
    """Return the learning rate of the next epoch, before its schedule's factor."""
    if config.schedule != "adaptive" or not history:
        return config.learning_rate
    losses = [sum(epoch.train.values()) for epoch in history[-ADAPTIVE_EPOCHS - 1 :]]
    return float(adapted_rate(history[-1].learning_rate, config.learning_rate, losses))


def train_step(
    state: State,
    batch: Batch,
    active: Sequence[str],
    rate: float,
    config: TrainingConfig,
    placement: Placement,
) -> dict[str, Tensor]:
    """Take one step of each of these optimizers; return the terms, still on the device."""
    logged: dict[str, Tensor] = {}
    for name in active:
        optimizer = state.optimizers[name]
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)
        optimizer.zero_grad()
        with placement.autocast():
            terms = _trainable(state.model).losses(batch, name)
        functools.reduce(torch.add, terms.values()).backward()  # type: ignore[no-untyped-call]
        if config.gradient_clip is not None:
            moved = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(moved, config.gradient_clip)
        optimizer.step()
        logged |= {name: term.detach() for name, term in terms.items()}
    return logged


@torch.no_grad()
def evaluate(
    state: State, rows: Rows, config: TrainingConfig, placement: Placement
) -> dict[str, float]:
    """Return the mean of each term over held-out samples, with the same noise in every epoch."""
    state.model.eval()
    model = _trainable(state.model)
    model.progress = 1.0
    seed_generators(_seed(config.seed))
    sums: dict[str, float] = {}
    for start, stop in batch_bounds(len(rows), _VALIDATION_BATCH):
        batch = rows.take(slice(start, stop))
        with placement.autocast():
            terms = model.held_out_losses(batch)
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + float(term) * (stop - start)
    return {name: total / len(rows) for name, total in sums.items()}


def _to_host(pending: list[dict[str, Tensor]]) -> dict[str, Floats]:
    names = list(pending[0])
    table = torch.stack([torch.stack([terms[n] for n in names]) for terms in pending])
    return dict(zip(names, table.double().cpu().numpy().T, strict=True))


def _check_finite(
    losses: dict[str, Floats], first_step: int, config: TrainingConfig, rows: Rows
) -> None:
    total = np.sum(list(losses.values()), axis=0)
    if not np.isfinite(total).all():
        bad = int(np.argmin(np.isfinite(total)))
        terms = {name: float(values[bad]) for name, values in losses.items()}
        raise divergence_error(first_step + bad, terms, total[:bad].tolist(), config, rows)


def _trainable(model: nn.Module) -> Trainable:
    return cast("Trainable", model)


def _active_optimizers(state: State, config: TrainingConfig) -> list[str]:
    """Return the optimizers of the next epoch; the last one counts as progress 1."""
    progress = 1.0 if state.epoch + 1 == config.epochs else state.epoch / config.epochs
    return list(_trainable(state.model).active_optimizers(progress))


def _is_stale(state: State, config: TrainingConfig) -> bool:
    return config.patience is not None and state.epoch - 1 - state.best_epoch >= config.patience


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)
