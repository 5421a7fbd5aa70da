"""An epoch of the variational latent plane: cuello against the same network in Keras 3 on JAX.

Both train on all 70,000 images in turns, each in a process and a virtual environment of its own.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.peer_process import Child, LeftOutError, Peer, install
from benchmarks.timing import THREADS, Bar, Result, Settings, alternate
from benchmarks.workload import images
from cuello import Autoencoder
from cuello.train import Rows, TrainingConfig, train
from cuello_labs.vae_latent import PROTOCOL, decoder, encoder

__all__ = ["run"]

_PEER = Peer("keras_vae", ("keras==3.15.1", "jax==0.10.2"))
_ROWS, _SIDE = 70_000, 28
_TARGET_SECONDS = 15.0


class Cuello:
    """The lab's network and protocol, through cuello's kind and loop."""

    def __init__(self, x: np.ndarray) -> None:
        self.rows = Rows(torch.from_numpy(x))
        # Made by the estimator, so that threads and precision are what a user gets.
        made = Autoencoder(
            **PROTOCOL, encoder=partial(encoder, _SIDE), decoder=partial(decoder, _SIDE)
        )
        self.model = made.initialize(x).module_
        self.loss = float("nan")

    def epoch(self) -> float:
        """Train on for an epoch; return its seconds and keep its loss."""
        how = TrainingConfig(
            learning_rate=PROTOCOL["learning_rate"],
            schedule="constant",
            epochs=1,
            batch_size=PROTOCOL["batch_size"],
            device="cpu",
        )
        record = train(self.model, self.rows, how)[-1]
        self.loss = record.loss
        return record.seconds


def run(settings: Settings) -> Result:
    """Measure."""
    x, source = _all_images(settings.quick)
    notes = [
        f"{len(x)} images of {source}; convolutions 1-10-20 of stride 2, dense 16, 2 latents, "
        f"dense 3136, transposed convolutions 64-20-10-1; batch {PROTOCOL['batch_size']}, Adam at "
        f"{PROTOCOL['learning_rate']:g}; {settings.rounds} alternating rounds of one epoch after "
        "one that warms up. Loss: nats an image.",
        "Each draws its own initial weights, from the same law, its own noise and order of "
        "samples.",
    ]
    ours = Cuello(x)
    ours.epoch()
    contestants = {"cuello auto": ours.epoch}
    losses = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        np.save(folder / "x.npy", x)
        job = {
            "learning_rate": PROTOCOL["learning_rate"],
            "batch_size": PROTOCOL["batch_size"],
            "threads": THREADS,
        }
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        children = {}
        try:
            child = stack.enter_context(Child(_PEER, install(_PEER), folder))
            label = child.read()["versions"]
            child.epoch()  # warm-up: JAX compiles
        except LeftOutError as error:
            notes.append(f"{_PEER.name} was left out: {error}")
        else:
            children[label], contestants[label] = child, child.epoch
        seconds = alternate(contestants, settings.rounds)
        losses = {label: child.loss for label, child in children.items()}
    losses["cuello auto"] = ours.loss
    fastest = min(seconds["cuello auto"])
    bars = [
        Bar(
            what="an epoch of cuello in seconds",
            value=fastest,
            target=f"below {_TARGET_SECONDS:g}",
            met=fastest < _TARGET_SECONDS,
        )
    ]
    for label in children:
        ratio = min(seconds[label]) / fastest
        bars.append(
            Bar(
                what=f"cuello: times as fast as {label}",
                value=ratio,
                target="above 1",
                met=ratio > 1.0,
            )
        )
    return Result(
        name="vae_latent",
        columns=(
            "program",
            "s/epoch, fastest",
            "slowest",
            "ms/step",
            "cuello auto is times as fast",
            "loss at the end",
        ),
        rows=[
            (
                label,
                min(own),
                max(own),
                1000.0 * min(own) / -(-len(x) // PROTOCOL["batch_size"]),
                min(own) / fastest,
                losses[label],
            )
            for label, own in seconds.items()
        ],
        bars=bars,
        notes=notes,
    )


def _all_images(quick: bool) -> tuple[np.ndarray, str]:
    """Return (n, 28, 28) pixels in 0..1, training and test images together, and their source."""
    if quick:
        pixels, source = images(2_000)
        return pixels.reshape(-1, _SIDE, _SIDE), source
    import cuello

    try:
        data = cuello.load("mnist", offline=True)
    except cuello.DataError:
        pixels, source = images(_ROWS)
        return pixels.reshape(-1, _SIDE, _SIDE), source
    assert data.X_test is not None
    return np.concatenate([data.X, data.X_test]).astype(np.float32) / 255.0, "MNIST"
