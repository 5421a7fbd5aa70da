"""Train N networks of one shape as one computation, their weights the rows of one tensor."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, overload

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from cuello.arrays import Bools, Floats
from cuello.kinds.base import Batch
from cuello.seeding import seed_generators
from cuello.train.callbacks import Callback
from cuello.train.config import ADAPTIVE_EPOCHS, TrainingConfig, adapted_rate
from cuello.train.loop import Trainable, row_order
from cuello.train.rows import Rows, batch_bounds
from cuello.train.state import Epoch
from cuello.train.stepper import Stepper

__all__ = ["Histories", "NetworkHistory", "Stack"]

_LOOK_EVERY = 100  # steps, after which progress is reported and the weights so far kept


@dataclass(frozen=True, kw_only=True)
class Histories:
    """Hold the records of E epochs of N networks as arrays (N, E), by name of the term.

    ``rates`` are those of the last step of each epoch; ``seconds`` is the time of one epoch of one
    network.
    """

    train: dict[str, Floats]
    validation: dict[str, Floats] | None
    rates: Floats
    seconds: float


@dataclass(frozen=True)
class NetworkHistory(Sequence[Epoch]):
    """Hold the first epochs of one of N networks; each record is made when it is asked for.

    400 networks of 10,000 epochs have four million of them.
    """

    histories: Histories
    i: int
    length: int

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Epoch]: ...
    def __getitem__(self, index: int | slice) -> Epoch | list[Epoch]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(self.length))]
        k = range(self.length)[index]

        def means(terms: dict[str, Floats]) -> dict[str, float]:
            return {name: float(values[self.i, k]) for name, values in terms.items()}

        held_out = self.histories.validation
        return Epoch(
            epoch=k,
            train=means(self.histories.train),
            validation=None if held_out is None else means(held_out),
            learning_rate=float(self.histories.rates[self.i, k]),
            seconds=self.histories.seconds,
        )


class _Losses(nn.Module):
    """Return losses from ``forward``, which ``functional_call`` calls."""

    def __init__(self, model: nn.Module, optimizer: str) -> None:
        super().__init__()
        self.model, self.optimizer = model, optimizer

    def forward(self, x: Tensor, y: Tensor | None) -> dict[str, Tensor]:
        model = cast("Trainable", self.model)
        if not self.training:
            return model.held_out_losses(Batch(x, y))
        return model.losses(Batch(x, y), self.optimizer)


@dataclass
class Stack:
    """Train N networks whose weights are the rows of one (N, P) tensor."""

    models: Sequence[nn.Module]
    configs: Sequence[TrainingConfig]
    rows: Rows
    validation: Rows | None
    augment: Callable[[Tensor], Tensor] | None
    callbacks: Callback
    train_means: dict[str, list[Floats]] = field(default_factory=dict)
    validation_means: dict[str, list[Floats]] = field(default_factory=dict)
    epoch_rates: list[Floats] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.models[0]
        (optimizer,) = cast("Trainable", first).optimizers()
        self.losses = _Losses(first, optimizer)
        named = [dict(model.named_parameters()) for model in self.models]
        with torch.no_grad():
            self.flat = torch.stack([parameters_to_vector(w.values()) for w in named])
        self.weights = _views(self.flat, named[0])
        buffers = [dict(model.named_buffers()) for model in self.models]
        self.buffers = {k: torch.stack([b[k] for b in buffers]) for k in buffers[0]}
        self.stepper = Stepper(self.configs, self.flat)
        self.gradient = torch.empty_like(self.flat)
        self.bounds = batch_bounds(len(self.rows), self.configs[0].batch_size)
        self.rates = np.array([config.learning_rate for config in self.configs])

    def train(self) -> Histories:
        """Train all networks, and put into each its best weights, or its last good ones."""
        started = time.perf_counter()
        kept = {name: values.clone() for name, values in self._state().items()}
        best = np.full(len(self.models), np.inf)
        epochs, steps_each = self.configs[0].epochs, len(self.bounds)
        for epoch in range(epochs):
            self._run_epoch(epoch)
            steps = (epoch + 1) * steps_each
            looked_at = steps % _LOOK_EVERY < steps_each or epoch + 1 == epochs
            if looked_at:
                self.callbacks.on_step_end(steps, epochs * steps_each)
            if self.validation is not None:
                total = self._evaluate(self.validation)
                self._keep(kept, total < best)
                best = np.fmin(best, total)
            elif looked_at:
                self._keep(kept, self.flat.isfinite().all(1).numpy())
        for i, model in enumerate(self.models):
            self._put_back(model, i, kept)
        return Histories(
            train=_columns(self.train_means),
            validation=_columns(self.validation_means) or None,
            rates=np.stack(self.epoch_rates, axis=1),
            seconds=(time.perf_counter() - started) / epochs / len(self.models),
        )

    def _run_epoch(self, epoch: int) -> None:
        self.losses.train()
        config, count = self.configs[0], len(self.bounds)
        if count > 1:
            orders = torch.stack([row_order(each, epoch, len(self.rows)) for each in self.configs])
        seed_generators(sum(each.seed for each in self.configs) + epoch)
        if config.schedule == "adaptive" and epoch:
            recent = [means[-ADAPTIVE_EPOCHS - 1 :] for means in self.train_means.values()]
            losses = np.sum(recent, axis=0)
            first = [each.learning_rate for each in self.configs]
            self.rates = adapted_rate(self.rates, first, losses)
        sums: dict[str, Tensor] = {}
        factor = 1.0
        for step, (start, stop) in enumerate(self.bounds):
            progress = (epoch * count + step) / (config.epochs * count)
            factor = config.rate_factor(progress)
            cast("Trainable", self.losses.model).progress = progress
            # All samples at once have no order, so they are not copied for each network either.
            index = None if count == 1 else orders[:, start:stop]
            terms = self._step(index, torch.from_numpy(self.rates * factor).float()[:, None])
            for name, term in terms.items():
                weighted = term.double() * (stop - start)
                sums[name] = sums[name] + weighted if name in sums else weighted
        for name, total in sums.items():
            self.train_means.setdefault(name, []).append((total / len(self.rows)).numpy())
        self.epoch_rates.append(self.rates * factor)

    def _step(self, index: Tensor | None, rate: Tensor) -> dict[str, Tensor]:
        batch = self._take(index)
        terms = self._terms(batch, shared=index is None and self.augment is None)
        total = functools.reduce(torch.add, terms.values()).sum()
        gradients = torch.autograd.grad(total, list(self.weights.values()))
        torch.cat([g.reshape(len(g), -1) for g in gradients], 1, out=self.gradient)
        self.stepper.step(self.gradient, rate)
        return {name: term.detach() for name, term in terms.items()}

    def _take(self, index: Tensor | None) -> Batch:
        """Return the samples (n, ...) for all networks, or those of each (N, B, ...)."""
        count = len(self.models)
        if index is None:
            batch = Batch(self.rows.x, self.rows.y)
            if self.augment is None:
                return batch
            index = torch.arange(len(self.rows)).expand(count, -1)
        x, y, _ = self.rows.take(index.reshape(-1))
        if self.augment is not None:
            x = self.augment(x)
        x = x.view(*index.shape, *x.shape[1:])
        return Batch(x, None if y is None else y.view(index.shape))

    def _terms(self, batch: Batch, *, shared: bool) -> dict[str, Tensor]:
        """Return the named terms, (N,) each."""

        def one(weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, y: Any) -> Any:
            named = {f"model.{k}": v for k, v in (weights | buffers).items()}
            return functional_call(self.losses, named, (x, y))

        rows = None if shared else 0
        over = torch.func.vmap(
            one,
            in_dims=(0, 0, rows, None if batch.y is None else rows),
            randomness="different",
        )
        terms: dict[str, Tensor] = over(self.weights, self.buffers, batch.x, batch.y)
        return terms

    @torch.no_grad()
    def _evaluate(self, rows: Rows) -> Floats:
        """Record the terms of held-out samples, and return their sum, (N,)."""
        self.losses.eval()
        cast("Trainable", self.losses.model).progress = 1.0
        seed_generators(sum(config.seed for config in self.configs))
        terms = self._terms(Batch(rows.x, rows.y), shared=True)
        means = {name: term.double().numpy() for name, term in terms.items()}
        for name, values in means.items():
            self.validation_means.setdefault(name, []).append(values)
        total: Floats = np.sum(list(means.values()), axis=0)
        return total

    def _state(self) -> dict[str, Tensor]:
        return {"weights": self.flat, **{f"buffer {k}": v for k, v in self.buffers.items()}}

    def _keep(self, kept: dict[str, Tensor], which: Bools) -> None:
        """Copy the present weights of these networks."""
        chosen = torch.from_numpy(which).nonzero()[:, 0]
        for name, values in self._state().items():
            kept[name].index_copy_(0, chosen, values.index_select(0, chosen))

    @torch.no_grad()
    def _put_back(self, model: nn.Module, i: int, state: dict[str, Tensor]) -> None:
        vector_to_parameters(state["weights"][i].clone(), model.parameters())
        for name, buffer in model.named_buffers():
            buffer.copy_(state[f"buffer {name}"][i])
        model.eval()
        cast("Trainable", model).progress = 1.0


def _columns(means: Mapping[str, list[Floats]]) -> dict[str, Floats]:
    """Return the means (N,) of each epoch side by side, (N, E)."""
    return {name: np.stack(values, axis=1) for name, values in means.items()}


def _views(flat: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return each weight as a view (N, ...) of the flat weights."""
    parts = torch.split(flat, [weight.numel() for weight in like.values()], dim=1)
    return {
        name: part.view(len(flat), *weight.shape).detach().requires_grad_()
        for (name, weight), part in zip(like.items(), parts, strict=True)
    }
