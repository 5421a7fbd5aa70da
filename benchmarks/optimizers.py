"""Measure the general step over optimizers: its cost for a kind that has one, and for a second.

Target: the step of the loop takes under 5 % longer than the same step written out by hand.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.timing import THREADS, Bar, Result, Settings, alternate, timed
from benchmarks.workload import RATE, Cuello, images, network
from cuello.train import Rows, TrainingConfig, choose_placement
from cuello.train.loop import train_step
from cuello.train.state import State

__all__ = ["run"]

_TARGET = 5.0  # percent
_TURNS_A_ROUND = 4  # short turns: a disturbance then hits both
_SECONDS_A_TURN = 0.3
_LEAST_STEPS = 5

Step = Callable[[Tensor], object]


def run(settings: Settings) -> Result:
    """Measure."""
    x, source = images(settings.rows)
    pixels = torch.from_numpy(x)
    rows: list[tuple[object, ...]] = []
    bars: list[Bar] = []
    for batch in (128, 1024):
        config = TrainingConfig(learning_rate=RATE, batch_size=batch, device="cpu")
        threads = choose_placement("cpu", "auto", batch, network()).threads
        seconds = 0.005 if settings.quick else _SECONDS_A_TURN
        steps = alternate(
            {
                name: _turn(step(pixels, config), len(x), batch, threads, seconds)
                for name, step in (("hand", _by_hand), ("loop", _of_the_loop))
            },
            _TURNS_A_ROUND * settings.rounds,
        )
        torch.set_num_threads(THREADS)
        hand, loop = (1000.0 * min(steps[name]) for name in ("hand", "loop"))
        added = 100.0 * (loop / hand - 1.0)
        kinds = {k: Cuello(x, batch, "auto", kind=k) for k in ("plain", "adversarial")}
        epochs = alternate(
            {name: timed(lambda c=c: c.epochs(1)) for name, c in kinds.items()},  # type: ignore[misc]
            settings.rounds,
        )
        fastest = {name: min(taken) for name, taken in epochs.items()}
        rows.append((batch, hand, loop, added, fastest["adversarial"] / fastest["plain"]))
        bars.append(
            Bar(
                what=f"batch {batch}: percent that the loop adds to a step",
                value=added,
                target=f"under {_TARGET:g}",
                met=added < _TARGET,
            )
        )
    return Result(
        name="optimizers",
        columns=(
            "batch",
            "ms a step, by hand",
            "ms a step, loop",
            "the loop adds, %",
            "epoch of adversarial / plain",
        ),
        rows=rows,
        bars=bars,
        notes=[
            f"{len(x)} samples of {source}; dense 784-512-256-32-256-512-784, MSE, fused Adam, "
            "precision and threads as cuello chooses them. A step takes its samples by index.",
            "The adversarial autoencoder takes two steps a batch, its critic's without a decoder.",
        ],
    )


def _by_hand(x: Tensor, config: TrainingConfig) -> Step:
    """Return the step one writes by hand for one model, one optimizer and one loss."""
    model = network().train()
    placement = choose_placement("cpu", "auto", config.batch_size, model)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)

    def step(index: Tensor) -> Tensor:
        rows = x.index_select(0, index)
        optimizer.zero_grad()
        with placement.autocast():
            loss = model.reconstruction(model.decoder(model.encoder(rows)), rows)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    return step


def _of_the_loop(x: Tensor, config: TrainingConfig) -> Step:
    """Return the step that every kind takes, over optimizers and named terms."""
    model = network().train()
    placement = choose_placement("cpu", "auto", config.batch_size, model)
    optimizers = {
        optimizer: config.build_optimizer(groups)
        for optimizer, groups in model.optimizers().items()
    }
    state, rows, optimizers = State(model, optimizers), Rows(x), model.active_optimizers(0.0)
    return lambda index: train_step(state, rows.take(index), optimizers, RATE, config, placement)


def _turn(step: Step, rows: int, batch: int, threads: int, seconds: float) -> Callable[[], float]:
    """Return a contestant that takes steps for a while and returns the median time of one."""
    batches = torch.randperm(rows, generator=torch.Generator().manual_seed(0)).split(batch)[:-1]

    def contestant() -> float:
        torch.set_num_threads(threads)
        taken: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(taken) < _LEAST_STEPS:
            index = batches[len(taken) % len(batches)]
            started = time.perf_counter()
            step(index)
            taken.append(time.perf_counter() - started)
        return statistics.median(taken)

    contestant()  # warm-up
    return contestant
