"""Many small networks trained with one row a step: compiled side by side, and one by one in torch.

Owed: the whole job, 400 networks over 10,000 epochs of 32 rows, takes under 360 s. It is not run:
its time follows from that of a short one, as every step takes the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.timing import THREADS, Bar, Result, Settings, alternate, timed
from cuello.train.online import available, train_online

__all__ = ["run"]

_SIZES = (35, 20, 2, 20, 35)
_NETWORKS, _ROWS, _EPOCHS = 400, 32, 10_000
_RATE, _MOMENTUM = 0.002, 0.8
_OWED = 360.0  # seconds


def run(settings: Settings) -> Result:
    """Measure."""
    if not available():
        return Result(name="online", columns=(), rows=[], notes=["numba is not installed."])
    epochs, torch_steps = (2, 5) if settings.quick else (200, 300)
    work: dict[str, tuple[Callable[[], object], int]] = {
        f"compiled, threads: {threads}": (
            _side_by_side(epochs, threads),
            _NETWORKS * epochs * _ROWS,
        )
        for threads in (1, THREADS)
    }
    work |= {
        "torch, fused SGD, threads: 1": (_one_by_one(torch_steps, fused=True), torch_steps),
        "torch, SGD, threads: 1": (_one_by_one(torch_steps, fused=False), torch_steps),
    }
    for steps, _ in work.values():
        steps()  # compiles, and warms up
    seconds = alternate({name: timed(steps) for name, (steps, _) in work.items()}, settings.rounds)
    torch.set_num_threads(THREADS)
    each = {name: [s / work[name][1] for s in taken] for name, taken in seconds.items()}
    alone, together = (min(each[f"compiled, threads: {threads}"]) for threads in (1, THREADS))
    updates = _NETWORKS * _EPOCHS * _ROWS
    job = together * updates
    return Result(
        name="online",
        columns=(
            "steps",
            "us an update, fastest",
            "slowest",
            "times as long as compiled, threads: 1",
            "s for the whole job, extrapolated",
        ),
        rows=[
            (name, 1e6 * min(s), 1e6 * max(s), min(s) / alone, min(s) * updates)
            for name, s in each.items()
        ],
        bars=[Bar(what="whole job: seconds", value=job, owed=f"under {_OWED:g}", met=job < _OWED)],
        notes=[
            f"Networks {'-'.join(map(str, _SIZES))}, tanh everywhere, momentum {_MOMENTUM:g}; an "
            f"update is one row through one network. The whole job: {_NETWORKS} networks, {_ROWS} "
            f"rows, {_EPOCHS} epochs.",
            f"Measured: compiled, {_NETWORKS} networks over {epochs} epochs; torch, {torch_steps} "
            f"updates of one network. The whole job is the time of an update times {updates:,}.",
        ],
    )


def _rows() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).choice([-1.0, 1.0], (_ROWS, _SIZES[0])).astype(np.float32)


def _side_by_side(epochs: int, threads: int) -> Callable[[], object]:
    rng, rows = np.random.default_rng(0), _rows()
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(_SIZES))
    start = rng.uniform(-0.3, 0.3, (_NETWORKS, parameters)).astype(np.float32)
    order = np.argsort(rng.random((_NETWORKS, epochs, _ROWS)), axis=2).astype(np.int32)
    one = np.ones(_NETWORKS, dtype=np.float32)

    def work() -> object:
        return train_online(
            start.copy(),
            np.zeros_like(start),
            sizes=_SIZES,
            activations=["tanh"] * (len(_SIZES) - 1),
            rows=rows,
            targets=rows,
            order=order,
            epochs=epochs,
            rates=_RATE * one,
            factors=np.ones(epochs * _ROWS, dtype=np.float32),
            momentum=_MOMENTUM * one,
            weight_decay=0 * one,
            scale=1.0,
            threads=threads,
        )

    return work


def _one_by_one(steps: int, *, fused: bool) -> Callable[[], object]:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(_SIZES):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=_RATE, momentum=_MOMENTUM, fused=fused)
    rows = torch.from_numpy(_rows())

    def work() -> object:
        torch.set_num_threads(1)  # more only wait for one another
        for step in range(steps):
            row = rows[step % _ROWS]
            optimizer.zero_grad()
            loss = (model(row) - row).square().sum()
            loss.backward()
            optimizer.step()
        return loss

    return work
