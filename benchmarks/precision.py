"""Where bfloat16 pays: it justifies ``_BF16_PAYS_FROM`` in ``cuello/train/placement.py``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.timing import THREADS, Result, Settings, alternate
from benchmarks.workload import network
from cuello.kinds import Batch
from cuello.train import OPTIMIZERS, Placement, Training, place
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
_TIE = 0.05  # faster by less than this is neither right nor wrong


def run(settings: Settings) -> Result:
    """Measure."""
    seconds_a_round = 0.005 if settings.quick else _SECONDS_A_ROUND
    rows: list[tuple[object, ...]] = []
    wrong = 0
    for features, hidden, latent in _NETWORKS:
        model = network(features, hidden, latent)
        largest = max(p.numel() for p in model.parameters())
        auto = place("cpu", "auto", model).bf16
        for batch in _BATCHES:
            contestants = {
                f"{name}, {threads}": _steps(
                    (features, hidden, latent), batch, bf16, threads, seconds_a_round
                )
                for name, bf16 in (("float32", False), ("bf16", True))
                for threads in (1, THREADS)
            }
            measured = alternate(contestants, settings.rounds)
            best = {name: 1000.0 * min(seconds) for name, seconds in measured.items()}
            gain = best[f"float32, {THREADS}"] / best[f"bf16, {THREADS}"]
            right = None if abs(gain - 1.0) <= _TIE else auto == (gain > 1.0)
            wrong += right is False
            rows.append(
                (
                    "-".join(map(str, (features, *hidden, latent))),
                    largest,
                    batch,
                    best[f"float32, {THREADS}"],
                    best[f"bf16, {THREADS}"],
                    gain,
                    best["float32, 1"] / best[f"float32, {THREADS}"],
                    best["bf16, 1"] / best[f"bf16, {THREADS}"],
                    "bf16" if auto else "float32",
                    "tie" if right is None else right,
                )
            )
    torch.set_num_threads(THREADS)
    return Result(
        name="precision",
        columns=(
            "encoder",
            "largest layer",
            "batch",
            "float32, ms/step",
            "bf16, ms/step",
            "bf16 gains",
            f"{THREADS} threads gain, float32",
            f"{THREADS} threads gain, bf16",
            "auto takes",
            "rightly",
        ),
        rows=rows,
        notes=[
            "A gain is how many times as fast; the decoder mirrors the encoder; 'largest layer' is "
            f"in weights; a gain below {_TIE:.0%} is a tie.",
            f"auto took the slower one in {wrong} of {len(rows)} cases.",
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
    how = Training(batch_size=batch_size)
    state = State(
        model, {name: OPTIMIZERS["adam"](groups, how) for name, groups in model.players().items()}
    )
    placement = Placement(torch.device("cpu"), bf16)
    batch = Batch(torch.rand(batch_size, sizes[0], generator=torch.Generator().manual_seed(0)))

    def contestant() -> float:
        torch.set_num_threads(threads)
        steps: list[float] = []
        end = time.perf_counter() + seconds_a_round
        while time.perf_counter() < end or len(steps) < _LEAST_STEPS:
            started = time.perf_counter()
            train_step(state, batch, how.learning_rate, how, placement)
            steps.append(time.perf_counter() - started)
        return statistics.median(steps)

    contestant()  # warm-up
    return contestant
