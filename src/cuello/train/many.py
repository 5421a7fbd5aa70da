"""Many networks of one shape, trained as one stacked computation.

Weights of N networks lie side by side, (N, ...), and every operation of a step is done once for all
of them. That is what makes hundreds of small networks cheap: one of them alone keeps a processor
waiting for the next instruction to be sent. The results are those of :func:`cuello.train.train`,
network by network; only random draws inside a loss (noise, dropout, samples of a code) are other
draws of the same distribution.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call

from cuello.errors import DivergedError
from cuello.kinds.base import Batch
from cuello.train.doctor import explain_divergence
from cuello.train.history import Epoch
from cuello.train.loop import Trainable, Watcher, row_order
from cuello.train.placement import place
from cuello.train.rows import Rows, batch_bounds
from cuello.train.settings import Training, adapted_rate
from cuello.train.stepper import Stepper

__all__ = ["Outcome", "can_stack", "train_many"]

_BYTES = 512 * 2**20
"""Memory that one stack may take; more networks are trained one stack after another."""

_LOOK_EVERY = 100  # steps, after which losses are looked at and the weights so far kept

# What may differ between the networks of a stack.
_OWN = ("learning_rate", "momentum", "weight_decay", "seed")


@dataclass(frozen=True)
class Outcome:
    """What became of one network.

    ``error`` is None unless its loss stopped being finite; the network then holds its last good
    weights, and ``history`` ends before that epoch.
    """

    history: list[Epoch]
    error: DivergedError | None = None


def can_stack(models: Sequence[nn.Module], hows: Sequence[Training]) -> str:
    """Say why these networks cannot be trained as one; empty if they can.

    They must have the same layers and one optimizer each, be small enough to leave a processor
    idle when trained alone, and be told the same but for learning rate, momentum, weight decay and
    seed. That their losses compute the same is for the caller to know.
    """
    first, how = models[0], hows[0]
    shapes = _shapes(first)
    if any(_shapes(model) != shapes for model in models[1:]):
        return "the networks differ in their layers"
    common = _common(how)
    different = {k for other in hows[1:] for k, v in _common(other).items() if v != common[k]}
    if different:
        return f"the trainings differ in {', '.join(sorted(different))}"
    if how.patience is not None:
        return "patience stops each network at its own time"
    players = cast("Trainable", first).players()
    groups = [group for own in players.values() for group in own]
    if len(groups) != 1 or "lr_scale" in groups[0] or len(groups[0]["params"]) != len(shapes):
        return "more than one optimizer, or several rates"
    placement = place(how.device, how.precision, how.batch_size, first)
    if placement.threads > 1 or placement.bf16:
        return "one of these networks is work enough for the machine"
    return ""


def train_many(
    models: Sequence[nn.Module],
    rows: Rows,
    hows: Sequence[Training],
    *,
    validation: Rows | None = None,
    augment: Callable[[Tensor], Tensor] | None = None,
    watcher: Watcher | None = None,
) -> list[Outcome]:
    """Train networks for which :func:`can_stack` has nothing to say, in place.

    Parameters
    ----------
    models : sequence of nn.Module
        N of them, each also a :class:`~cuello.train.Trainable`.
    rows, validation, augment
        As for :func:`cuello.train.train`; all networks see the same rows, each in its own order.
    hows : sequence of Training
        One a network.
    watcher : Watcher or None
        ``step(done, total)`` counts the steps of all stacks; ``epoch`` is not called.

    Returns
    -------
    list of Outcome
        One a network, in their order.
    """
    size = max(1, _BYTES // _bytes_each(models[0], rows, hows[0]))
    parts = [slice(start, start + size) for start in range(0, len(models), size)]
    steps = hows[0].epochs * len(batch_bounds(len(rows), hows[0].batch_size))
    outcomes: list[Outcome] = []
    for i, part in enumerate(parts):
        told = _shifted(watcher or Watcher(), i * steps, len(parts) * steps)
        stack = _Stack(models[part], hows[part], rows, validation, augment, told)
        with torch.random.fork_rng(devices=[]):
            outcomes += stack.train()
    return outcomes


class _Losses(nn.Module):
    """Gives ``losses`` as a call, which is what ``functional_call`` makes."""

    def __init__(self, model: nn.Module, player: str) -> None:
        super().__init__()
        self.model, self.player = model, player

    def forward(self, x: Tensor, y: Tensor | None) -> dict[str, Tensor]:
        model = cast("Trainable", self.model)
        if not self.training:
            return model.held_out_losses(Batch(x, y))
        return model.losses(Batch(x, y), self.player)


@dataclass
class _Stack:
    """N networks whose weights are the rows of one (N, P) tensor."""

    models: Sequence[nn.Module]
    hows: Sequence[Training]
    rows: Rows
    validation: Rows | None
    augment: Callable[[Tensor], Tensor] | None
    watcher: Watcher
    epochs: list[_Means] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.models[0]
        (player,) = cast("Trainable", first).players()
        self.losses = _Losses(first, player)
        named = [dict(model.named_parameters()) for model in self.models]
        self.flat = torch.stack([_flat(weights.values()) for weights in named])
        self.weights = _views(self.flat, named[0])
        buffers = [dict(model.named_buffers()) for model in self.models]
        self.buffers = {k: torch.stack([b[k] for b in buffers]) for k in buffers[0]}
        self.stepper = Stepper(self.hows, self.flat)
        self.gradient = torch.empty_like(self.flat)
        self.bounds = batch_bounds(len(self.rows), self.hows[0].batch_size)
        self.rates = np.array([how.learning_rate for how in self.hows])

    def train(self) -> list[Outcome]:
        kept = _Kept(self._state())
        best = np.full(len(self.models), np.inf)
        steps = 0
        for epoch in range(self.hows[0].epochs):
            self.epochs.append(self._run_epoch(epoch))
            steps += len(self.bounds)
            held_out = self.epochs[-1].validation
            if held_out is not None:
                total = np.sum(list(held_out.values()), axis=0)
                kept.update(self._state(), total < best)
                best = np.fmin(best, total)
            if steps % _LOOK_EVERY < len(self.bounds) or epoch + 1 == self.hows[0].epochs:
                self.watcher.step(steps, self.hows[0].epochs * len(self.bounds))
                if held_out is None:
                    kept.update(self._state(), self.flat.isfinite().all(1).numpy())
        for i, model in enumerate(self.models):
            self._put_back(model, i, kept.state)
        return [self._outcome(i) for i in range(len(self.models))]

    def _run_epoch(self, epoch: int) -> _Means:
        started = time.perf_counter()
        self.losses.train()
        how, count = self.hows[0], len(self.bounds)
        if len(self.bounds) > 1:
            orders = torch.stack([row_order(own, epoch, len(self.rows)) for own in self.hows])
        torch.manual_seed(sum(own.seed for own in self.hows) + epoch)
        if how.schedule == "adaptive" and epoch:
            self._adapt()
        sums: dict[str, Tensor] = {}
        factor = 1.0
        for step, (start, stop) in enumerate(self.bounds):
            progress = (epoch * count + step) / (how.epochs * count)
            factor = how.rate_factor(progress)
            cast("Trainable", self.losses.model).progress = progress
            # All rows at once have no order, so they are not copied for each network either.
            index = None if count == 1 else orders[:, start:stop]
            terms = self._step(index, torch.from_numpy(self.rates * factor).float()[:, None])
            for name, term in terms.items():
                weighted = term.double() * (stop - start)
                sums[name] = sums[name] + weighted if name in sums else weighted
        return _Means(
            train={name: (total / len(self.rows)).numpy() for name, total in sums.items()},
            validation=None if self.validation is None else self._evaluate(self.validation),
            rates=self.rates * factor,
            seconds=time.perf_counter() - started,
        )

    def _step(self, index: Tensor | None, rate: Tensor) -> dict[str, Tensor]:
        batch = self._take(index)
        terms = self._terms(batch, shared=index is None and self.augment is None)
        total = functools.reduce(torch.add, terms.values()).sum()
        gradients = torch.autograd.grad(total, list(self.weights.values()))
        torch.cat([g.reshape(len(g), -1) for g in gradients], 1, out=self.gradient)
        self.stepper.step(self.gradient, rate)
        return {name: term.detach() for name, term in terms.items()}

    def _take(self, index: Tensor | None) -> Batch:
        """Return the rows (n, ...) for all networks, or those of each (N, B, ...)."""
        count = len(self.models)
        if index is None:
            batch = Batch(self.rows.x, self.rows.y)
            if self.augment is None:
                return batch
            index = torch.arange(len(self.rows)).expand(count, -1)
        x, y = self.rows.take(index.reshape(-1))
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
    def _evaluate(self, rows: Rows) -> dict[str, npt.NDArray[np.float64]]:
        self.losses.eval()
        cast("Trainable", self.losses.model).progress = 1.0
        torch.manual_seed(sum(how.seed for how in self.hows))
        terms = self._terms(Batch(rows.x, rows.y), shared=True)
        return {name: term.double().numpy() for name, term in terms.items()}

    def _adapt(self) -> None:
        for i, how in enumerate(self.hows):
            losses = [epoch.total[i] for epoch in self.epochs]
            self.rates[i] = adapted_rate(self.rates[i], how.learning_rate, losses)

    def _state(self) -> dict[str, Tensor]:
        return {"weights": self.flat, **{f"buffer {k}": v for k, v in self.buffers.items()}}

    @torch.no_grad()
    def _put_back(self, model: nn.Module, i: int, state: dict[str, Tensor]) -> None:
        start = 0
        for weight in model.parameters():
            stop = start + weight.numel()
            weight.copy_(state["weights"][i, start:stop].view_as(weight))
            start = stop
        for name, buffer in model.named_buffers():
            buffer.copy_(state[f"buffer {name}"][i])
        model.eval()
        cast("Trainable", model).progress = 1.0

    def _outcome(self, i: int) -> Outcome:
        history: list[Epoch] = []
        for number, means in enumerate(self.epochs):
            if not math.isfinite(means.total[i]):
                return Outcome(history, self._explain(i, number))
            history.append(means.of(number, i))
        return Outcome(history)

    def _explain(self, i: int, epoch: int) -> DivergedError:
        losses = [means.total[i] for means in self.epochs[:epoch]]
        terms = self.epochs[epoch].train
        term = next((k for k, v in terms.items() if not math.isfinite(v[i])), "total")
        value = float(terms[term][i]) if term in terms else math.nan
        largest = float(self.rows.x.nan_to_num().abs().max())
        step = epoch * len(self.bounds)
        text = explain_divergence(step, term, value, losses, self.hows[i], largest)
        return DivergedError(text)


@dataclass(frozen=True)
class _Means:
    """One epoch of N networks: arrays (N,)."""

    train: dict[str, npt.NDArray[np.float64]]
    validation: dict[str, npt.NDArray[np.float64]] | None
    rates: npt.NDArray[np.float64]
    seconds: float

    @functools.cached_property
    def total(self) -> list[float]:
        total: list[float] = np.sum(list(self.train.values()), axis=0).tolist()
        return total

    def of(self, epoch: int, i: int) -> Epoch:
        """Return the record of network i."""
        held_out = self.validation
        return Epoch(
            epoch=epoch,
            train={name: float(values[i]) for name, values in self.train.items()},
            validation=None if held_out is None else {k: float(v[i]) for k, v in held_out.items()},
            learning_rate=float(self.rates[i]),
            seconds=self.seconds / len(self.rates),
        )


class _Kept:
    """The weights that each network will end with: its best, or its last good ones."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = {name: values.clone() for name, values in state.items()}

    def update(self, state: dict[str, Tensor], which: npt.NDArray[np.bool_]) -> None:
        """Take over the rows of these networks."""
        chosen = torch.from_numpy(which).nonzero()[:, 0]
        for name, values in state.items():
            self.state[name].index_copy_(0, chosen, values.index_select(0, chosen))


def _flat(weights: Iterable[Tensor]) -> Tensor:
    return torch.cat([weight.detach().reshape(-1) for weight in weights])


def _views(flat: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return each weight as a view (N, ...) of the flat ones, so that moving those moves it."""
    views, start = {}, 0
    for name, weight in like.items():
        stop = start + weight.numel()
        views[name] = flat[:, start:stop].view(len(flat), *weight.shape).detach().requires_grad_()
        start = stop
    return views


def _shapes(model: nn.Module) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(weight.shape)) for name, weight in model.named_parameters())


def _common(how: Training) -> dict[str, Any]:
    return {f.name: getattr(how, f.name) for f in fields(how) if f.name not in _OWN}


def _bytes_each(model: nn.Module, rows: Rows, how: Training) -> int:
    """Estimate the memory of one network: weights, gradients, moments, and stages of a batch."""
    weights = sum(weight.numel() for weight in model.parameters())
    widths = sum(weight.shape[0] for weight in model.parameters() if weight.ndim > 1)
    batch = min(how.batch_size, len(rows))
    stages = batch * (4 * widths + 2 * rows.x[0].numel())
    return 4 * (6 * weights + stages)


def _shifted(watcher: Watcher, before: int, total: int) -> Watcher:
    return Watcher(step=lambda done, _: watcher.step(before + done, total))
