"""The fastest strategy to train several networks, by their size and batch.

Each network's step costs some multiplications; the table goes from the smallest to the largest, and
shows which strategy is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
from torch import nn

from benchmarks.timing import Result, Settings, alternate, timed
from cuello import Autoencoder
from cuello.networks import multiplications
from cuello.train import Rows, TrainingConfig, many, train

__all__ = ["run"]

_NETWORKS = 8
_CASES: tuple[tuple[int, tuple[int, ...], int], ...] = (
    (35, (20,), 1),
    (35, (20,), 32),
    (64, (48,), 32),
    (64, (64,), 64),
    (128, (64,), 64),
    (784, (32,), 32),
    (784, (128,), 32),
    (784, (128, 128), 128),
)
"""Columns, hidden widths and batch."""
_STEPS = 40


def run(settings: Settings) -> Result:
    """Measure."""
    if not many.compiled_backend():
        return Result(name="many_sizes", columns=(), rows=[], notes=["numba is not installed."])
    rows = []
    for columns, hidden, batch in _CASES:
        models, data, configs = _networks(columns, hidden, batch, 2 if settings.quick else _STEPS)
        work = {
            strategy: timed(_train(strategy, models, data, configs))
            for strategy in ("compiled", "stacked", "one by one")
        }
        for once in work.values():
            once()
        seconds = alternate(work, settings.rounds)
        each = [
            min(seconds[strategy]) / _NETWORKS / -(-len(data) // batch) * 1e6 for strategy in work
        ]
        shape = "-".join(map(str, (columns, *hidden, 8)))
        chosen = many.fastest_strategy(models[0], configs[0])
        rows.append((shape, batch, multiplications(models[0]) * batch, *each, chosen))
    return Result(
        name="many_sizes",
        columns=(
            "encoder",
            "batch",
            "multiplications a step",
            "compiled, µs",
            "stacked, µs",
            "one by one, µs",
            "chosen",
        ),
        rows=rows,
        notes=[f"{_NETWORKS} networks, plain, Adam; microseconds a step of one network."],
    )


def _networks(
    columns: int, hidden: tuple[int, ...], batch: int, steps: int
) -> tuple[list[nn.Module], Rows, list[TrainingConfig]]:
    X = np.random.default_rng(0).random((batch * steps, columns)).astype(np.float32)
    models = [
        Autoencoder(
            "plain",
            hidden=hidden,
            linear_skip=False,
            latent_dim=8,
            loss="mse",
            output_activation="identity",
            epochs=1,
            batch_size=batch,
            validation_fraction=0.0,
            random_state=seed,
        ).initialize(X)
        for seed in range(_NETWORKS)
    ]
    x = torch.from_numpy(models[0].scaling_.apply(X))
    return (
        [model.module_ for model in models],
        Rows(x),
        [model.training_config_ for model in models],
    )


def _train(
    strategy: str, models: list[nn.Module], rows: Rows, configs: list[TrainingConfig]
) -> Callable[[], None]:
    def work() -> None:
        if strategy == "one by one":
            for model, config in zip(models, configs, strict=True):
                train(model, rows, config)
            return
        with mock.patch.object(many, "fastest_strategy", return_value=strategy):
            many.train_many(models, rows, configs)

    return work
