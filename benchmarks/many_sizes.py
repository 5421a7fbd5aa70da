"""Which way to train several networks is the quickest, by their size and batch.

Each network's step costs some multiplications; the table goes from the smallest to the largest, and
says which way the project takes by itself.
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
from cuello.train import Rows, TrainingConfig, compiled, many, train

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
    if not compiled.available():
        return Result(name="many_sizes", columns=(), rows=[], notes=["numba is not installed."])
    rows = []
    for columns, hidden, batch in _CASES:
        models, data, configs = _networks(columns, hidden, batch, 2 if settings.quick else _STEPS)
        work = {
            way: timed(_train(way, models, data, configs))
            for way in ("compiled", "stacked", "one by one")
        }
        for once in work.values():
            once()
        seconds = alternate(work, settings.rounds)
        each = [min(seconds[way]) / _NETWORKS / -(-len(data) // batch) * 1e6 for way in work]
        shape = "-".join(map(str, (columns, *hidden, 8)))
        chosen = many.way(models[0], configs[0])
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
    way: str, models: list[nn.Module], rows: Rows, configs: list[TrainingConfig]
) -> Callable[[], None]:
    def work() -> None:
        if way == "one by one":
            for model, config in zip(models, configs, strict=True):
                train(model, rows, config)
            return
        with mock.patch.object(many, "way", return_value=way):
            many.train_many(models, rows, configs)

    return work
