"""cuello against other libraries, each in a process and a virtual environment of its own.

The peers wait while cuello trains an epoch and the other way round, so that all of them meet the
same machine. A peer that cannot be installed is left out, and the result says so.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.peer_process import Child, LeftOutError, Peer, install
from benchmarks.timing import THREADS, Result, Settings, alternate, timed
from benchmarks.workload import HIDDEN, LATENT, RATE, Cuello, images, linear_layers, network

__all__ = ["run"]

_PEERS = (
    Peer("keras", ("keras==3.15.1", "jax==0.10.2")),
    Peer("pythae", ("pythae==0.1.2", "torch==2.13.0")),  # it needs no torchvision
)


def run(settings: Settings) -> Result:
    """Measure."""
    x, source = images(settings.rows)
    epochs = 1 + settings.rounds
    notes = [
        f"{len(x)} samples of {source}; dense 784-512-256-32-256-512-784, MSE, Adam at 1e-3, the "
        f"same initial weights; {settings.rounds} alternating rounds of one epoch.",
        "Each takes the samples in an order of its own: that alone moves a loss by a percent or "
        "two.",
    ]
    pythons: dict[Peer, Path] = {}
    for peer in _PEERS:
        try:
            pythons[peer] = install(peer)
        except LeftOutError as error:
            notes.append(f"{peer.name} was left out: {error}")
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _hand_over(folder, x)
        for batch in (128, 1024):
            rows += _measure(folder, x, batch, pythons, settings, notes)
    return Result(
        name="peers",
        columns=(
            "batch",
            "program",
            "s/epoch, fastest",
            "slowest",
            "cuello auto is times as fast",
            f"loss after {epochs} epochs",
            "apart from cuello auto, %",
        ),
        rows=rows,
        notes=notes,
    )


def _hand_over(folder: Path, x: np.ndarray) -> None:
    np.save(folder / "x.npy", x)
    arrays = [a.detach().numpy() for layer in linear_layers(network()) for a in layer.parameters()]
    np.savez(folder / "weights.npz", **{f"{i:02}": array for i, array in enumerate(arrays)})


def _measure(
    folder: Path,
    x: np.ndarray,
    batch: int,
    pythons: dict[Peer, Path],
    settings: Settings,
    notes: list[str],
) -> list[tuple[object, ...]]:
    hidden = ["relu"] * len(HIDDEN)
    job = {
        "widths": [*HIDDEN, LATENT, *reversed(HIDDEN), x.shape[1]],
        "activations": [*hidden, None, *hidden, "sigmoid"],
        "latent_dim": LATENT,
        "learning_rate": RATE,
        "batch_size": batch,
        "threads": THREADS,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    ours = {f"cuello {p}": Cuello(x, batch, p) for p in ("auto", "float32")}
    losses = {name: model.epochs(1 + settings.rounds) for name, model in ours.items()}
    contestants = {name: timed(partial(model.epochs, 1)) for name, model in ours.items()}
    with ExitStack() as stack:
        children: dict[str, Child] = {}
        for peer, python in pythons.items():
            child = stack.enter_context(Child(peer, python, folder))
            try:
                name = child.read()["versions"]
                child.epoch()  # warm-up: JAX compiles
            except LeftOutError as error:
                notes.append(f"{peer.name} was left out at batch {batch}: {error}")
                continue
            children[name], contestants[name] = child, child.epoch
        seconds = alternate(contestants, settings.rounds)
        losses |= {name: child.loss for name, child in children.items()}
    fastest = min(seconds["cuello auto"])
    return [
        (
            batch,
            name,
            min(own),
            max(own),
            min(own) / fastest,
            losses[name],
            100.0 * (losses[name] / losses["cuello auto"] - 1.0),
        )
        for name, own in seconds.items()
    ]
