"""Sizes from which bfloat16 and threads pay.

It justifies ``_LARGE_STEP`` in ``cuello/train/placement.py``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.timing import THREADS, Result, Settings, alternate
from benchmarks.workload import network
from cuello.kinds import Batch
from cuello.train import Placement, TrainingConfig, choose_placement
from cuello.train.loop import train_step
from cuello.train.state import State

__all__ = ["run"]

_NETWORKS = (
    (64, (32,), 8),
    (128, (256,), 16),
    (784, (64,), 16),
    (784, (128,), 32),
    (64, (512, 256), 8),
    (784, (512, 256), 32),
)
_BATCHES = (32, 128, 1024)
_SECONDS_A_ROUND = 0.1
_LEAST_STEPS = 5
_TIE = 10.0  # percent; less is not worth another rule


def run(settings: Settings) -> Result:
    """Measure."""
    seconds_a_round = 0.005 if settings.quick else _SECONDS_A_ROUND
    choices = {
        f"{name}, {threads}": (bf16, threads)
        for name, bf16 in (("float32", False), ("bf16", True))
        for threads in (1, THREADS)
    }
    rows: list[tuple[object, ...]] = []
    for sizes in _NETWORKS:
        model = network(*sizes)
        weights = [p.numel() for p in model.parameters()]
        for batch in _BATCHES:
            torch.set_num_threads(THREADS)
            placed = choose_placement("cpu", "auto", batch, model)
            chosen = "bf16" if placed.bf16 else "float32"
            auto = f"{chosen}, {placed.threads}"
            measured = alternate(
                {
                    n: _steps(sizes, batch, *choice, seconds_a_round)
                    for n, choice in choices.items()
                },
                settings.rounds,
            )
            ms = {name: 1000.0 * min(seconds) for name, seconds in measured.items()}
            rows.append(
                (
                    "-".join(map(str, (sizes[0], *sizes[1], sizes[2]))),
                    batch,
                    max(weights) / 1024,
                    batch * sum(weights) / 1024**2,
                    *ms.values(),
                    ms[f"float32, {placed.threads}"] / ms[f"bf16, {placed.threads}"],
                    ms[f"{chosen}, 1"] / ms[f"{chosen}, {THREADS}"],
                    auto,
                    100.0 * (ms[auto] / min(ms.values()) - 1.0),
                )
            )
    torch.set_num_threads(THREADS)
    slow = [row for row in rows if row[-1] > _TIE]
    return Result(
        name="precision",
        columns=(
            "encoder",
            "batch",
            "largest layer, Ki",
            "products, Mi",
            *(f"ms: {name}" for name in choices),
            "bf16 gains",
            f"{THREADS} threads gain",
            "auto takes",
            "slower than best, %",
        ),
        rows=rows,
        notes=[
            "Milliseconds a training step with 1 or more threads; the decoder mirrors the encoder. "
            "'Largest layer' is in weights; 'products' are all weights times the batch size.",
            "A gain is how many times as fast: bf16 than float32 on the threads that auto takes, "
            f"{THREADS} threads than 1 in the precision that auto takes.",
            f"auto is over {_TIE:g} % slower than the best in {len(slow)} of {len(rows)} cases.",
        ],
    )


def _steps(
    sizes: tuple[int, tuple[int, ...], int],
    batch_size: int,
    bf16: bool,
    threads: int,
    seconds_a_round: float,
) -> Callable[[], float]:
    """Return a contestant that takes steps for a while and says how long the median one took."""
    model = network(*sizes)
    how = TrainingConfig(batch_size=batch_size)
    state = State(
        model,
        {name: how.build_optimizer(groups) for name, groups in model.optimizers().items()},
    )
    placement = Placement(torch.device("cpu"), bf16, threads)
    batch = Batch(torch.rand(batch_size, sizes[0], generator=torch.Generator().manual_seed(0)))

    def contestant() -> float:
        torch.set_num_threads(threads)
        steps: list[float] = []
        end = time.perf_counter() + seconds_a_round
        while time.perf_counter() < end or len(steps) < _LEAST_STEPS:
            started = time.perf_counter()
            train_step(state, batch, [*state.optimizers], how.learning_rate, how, placement)
            steps.append(time.perf_counter() - started)
        return statistics.median(steps)

    contestant()  # warm-up
    return contestant
