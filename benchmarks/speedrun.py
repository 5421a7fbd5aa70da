"""CPU seconds from new weights to a test error, of defaults and of other recipes.

Target: a third of the recipe that was the default before, and half of the best of Keras on JAX with
Adam at 1e-3 and batches of 128, 256, 512 and 1,024. Seconds of evaluation do not count.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import cuello
from benchmarks.peer_process import Child, LeftOutError, Peer, install
from benchmarks.timing import THREADS, Bar, Result, Settings
from benchmarks.workload import HIDDEN, LATENT, RATE

__all__ = ["RECIPE_BEFORE", "run"]

_KERAS = Peer("keras_speedrun", ("keras==3.15.1", "jax==0.10.2"))
_GOAL = 0.0102
_MOST_EPOCHS = 60
RECIPE_BEFORE: Mapping[str, Any] = {
    "kind": "denoising",
    "kind_options": {"noise_share": 0.9, "noise_until": 1.0},
    "linear_skip": False,
    "epochs": 24,
}
_RECIPES: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "default without linear skip": {"linear_skip": False},
    "default before: denoising, 10,128 steps": RECIPE_BEFORE,
}

Pixels = npt.NDArray[np.float32]


class _ReachedError(Exception):
    """The test error is low enough."""


def run(settings: Settings) -> Result:
    """Measure."""
    data = cuello.load("mnist", offline=True)
    assert data.X_test is not None
    X, X_test = data.X[: settings.rows], data.X_test
    seeds = range(1 if settings.quick else min(settings.rounds, 3))
    rows: list[tuple[object, ...]] = []
    fastest: dict[str, float] = {}
    for name, options in _RECIPES.items():
        for seed in seeds:
            seconds, steps, error = _to_goal(X, X_test, {**options, "random_state": seed})
            rows.append((name, seed, seconds, steps, error, error <= _GOAL))
            fastest[name] = min(fastest.get(name, np.inf), seconds)
    notes = [
        f"{len(X)} samples of MNIST, of which a tenth chooses the best epoch; dense 784-512-256-"
        f"{LATENT}; until the mean squared error of {len(X_test)} test samples is {_GOAL}, looked "
        "at every 100 steps of cuello and every epoch of Keras; CPU seconds without these looks.",
    ]
    try:
        keras = _keras(X, X_test, seeds, rows)
    except LeftOutError as error:
        notes.append(f"keras was left out: {error}")
        keras = np.inf
    before = fastest["default before: denoising, 10,128 steps"]
    bars = [
        Bar(
            what="CPU seconds of the default, as a share of the default before",
            value=fastest["default"] / before,
            target="at most 1/3",
            met=fastest["default"] <= before / 3,
        )
    ]
    if np.isfinite(keras):
        bars.append(
            Bar(
                what="CPU seconds of the fastest Keras, in those of the default",
                value=keras / fastest["default"],
                target="at least 2",
                met=keras >= 2 * fastest["default"],
            )
        )
    columns = ("recipe", "seed", "CPU s", "steps", "test MSE", "reached")
    return Result(name="speedrun", columns=columns, rows=rows, bars=bars, notes=notes)


def _to_goal(
    X: npt.NDArray[Any], X_test: npt.NDArray[Any], options: Mapping[str, Any]
) -> tuple[float, int, float]:
    """Train until the goal is reached; return CPU seconds, steps and the last test error."""
    model = cuello.Autoencoder(latent_dim=LATENT, hidden=HIDDEN, verbose=False, **options)
    looks, error, steps = 0.0, np.inf, 0

    def look(done: int, total: int) -> None:
        nonlocal looks, error, steps
        began = time.process_time()
        model.module_.eval()
        error, steps = _error(model, X_test), done
        model.module_.train()
        looks += time.process_time() - began
        if error <= _GOAL:
            raise _ReachedError

    started = time.process_time()
    with suppress(_ReachedError):
        model.fit(X, callbacks=cuello.train.Callback(on_step_end=look))
    return time.process_time() - started - looks, steps, error


def _error(model: cuello.Autoencoder, X: npt.NDArray[Any]) -> float:
    return float(np.square((model.reconstruct(X).astype(np.float32) - X) / 255.0).mean())


def _keras(
    X: npt.NDArray[Any], X_test: npt.NDArray[Any], seeds: range, rows: list[tuple[object, ...]]
) -> float:
    """Let Keras reach the goal at each batch size; return the fewest CPU seconds."""
    python = install(_KERAS)
    hidden = ["relu"] * len(HIDDEN)
    best = np.inf
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, images in (("x", X), ("x_test", X_test)):
            np.save(folder / f"{file}.npy", images.reshape(len(images), -1).astype("f4") / 255.0)
        for loss in ("mse", "binary_crossentropy"):
            for batch in (128, 256, 512, 1024):
                job = {
                    "widths": [*HIDDEN, LATENT, *reversed(HIDDEN), X[0].size],
                    "activations": [*hidden, None, *hidden, "sigmoid"],
                    "learning_rate": RATE,
                    "batch_size": batch,
                    "loss": loss,
                    "seed": seeds[0],
                    "threads": THREADS,
                }
                (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
                with Child(_KERAS, python, folder) as child:
                    version = child.read()["versions"]
                    seconds, epochs = 0.0, 0
                    while not child.loss <= _GOAL and epochs < _MOST_EPOCHS:  # NaN at first
                        seconds += child.epoch()
                        epochs += 1
                steps = epochs * -(-len(X) // batch)
                reached = child.loss <= _GOAL
                label = f"{version}, {loss}, batch {batch}"
                rows.append((label, seeds[0], seconds, steps, child.loss, reached))
                if reached:
                    best = min(best, seconds)
    return best
