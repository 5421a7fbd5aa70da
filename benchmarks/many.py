"""Many small networks at once: compiled, stacked in torch, and one by one in a plain torch loop.

Target: 400 networks over 1,000 full-batch epochs at least 20 times as fast as a plain torch loop
over them; the learning-rate study, 400 networks over 10,000 epochs of 32 single rows, in under
360 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from unittest import mock

import torch
from torch import nn

from benchmarks.timing import THREADS, Bar, Result, Settings, alternate, timed
from cuello.data import load
from cuello.kinds import Parts, ReconstructionLoss, build_module
from cuello.networks import dense
from cuello.train import Rows, TrainingConfig, many

__all__ = ["run"]

_NETWORKS, _RATE, _MOMENTUM = 400, 0.0005, 0.8
_TARGET_RATIO, _TARGET_SECONDS = 20.0, 360.0
_ONLINE_EPOCHS = 10_000


def run(settings: Settings) -> Result:
    """Measure."""
    if not many.compiled_backend():
        return Result(name="many", columns=(), rows=[], notes=["numba is not installed."])
    x = _characters()
    # (batch, epochs of the stack, networks and epochs of the loop)
    cases = {"full batch, Adam": (32, "adam", 100), "full batch, SGD": (32, "sgd", 100)}
    cases |= {"online, SGD": (1, "sgd", 4)}
    if settings.quick:
        cases = {name: (batch, optimizer, 2) for name, (batch, optimizer, _) in cases.items()}
    rows, bars = [], []
    for name, (batch, optimizer, epochs) in cases.items():
        some = 2  # networks that the loop trains: its time grows with their number alone
        work: dict[str, Callable[[], object]] = {
            "compiled": _together(x, optimizer, batch, epochs, compiled_steps=True),
            "stacked": _together(x, optimizer, batch, epochs, compiled_steps=False),
            "loop": _one_by_one(x, optimizer, batch, epochs, some),
        }
        for ways in work.values():
            ways()
        seconds = alternate({k: timed(v) for k, v in work.items()}, settings.rounds)
        loop = min(seconds["loop"]) * _NETWORKS / some
        fast, stacked = (min(seconds[strategy]) for strategy in ("compiled", "stacked"))
        rows.append((name, epochs, fast, stacked, loop, loop / fast, loop / stacked))
        if batch > 1:
            bars.append(
                Bar(
                    what=f"{name}: times as fast as a loop",
                    value=loop / fast,
                    target=f"at least {_TARGET_RATIO:g}",
                    met=loop / fast >= _TARGET_RATIO,
                )
            )
    whole = 4 if settings.quick else _ONLINE_EPOCHS
    started = time.perf_counter()
    _together(x, "sgd", 1, whole, compiled_steps=True)()
    taken = time.perf_counter() - started
    bars.append(
        Bar(
            what=f"{_NETWORKS} networks, {whole:,} online epochs: seconds",
            value=taken,
            target=f"under {_TARGET_SECONDS:g}",
            met=taken < _TARGET_SECONDS,
        )
    )
    return Result(
        name="many",
        columns=(
            "training",
            "epochs",
            "compiled, s",
            "stacked, s",
            "loop, s",
            "loop / compiled",
            "loop / stacked",
        ),
        rows=rows,
        bars=bars,
        notes=[
            f"{_NETWORKS} networks 35-20-2-20-35, tanh, on the 32 characters of 7x5 pixels.",
            "The loop is plain PyTorch, one thread (more only wait for one another), measured on 2 "
            f"networks and multiplied by {_NETWORKS // 2}; the others train all of them.",
        ],
    )


def _characters() -> torch.Tensor:
    font = load("font").X
    return torch.from_numpy(font.reshape(len(font), -1)).float().sign() * 2 - 1


def _network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    encoder, decoder = dense.build_dense(
        (35,),
        2,
        2,
        hidden=(20,),
        activation="tanh",
        latent_activation="tanh",
        initializer="uniform",
    )
    parts = Parts(
        encoder=encoder,
        decoder=decoder,
        reconstruction=ReconstructionLoss(loss="mse", output="tanh", low=-1.0, high=1.0),
        shape=(35,),
        latent_dim=2,
    )
    return build_module("plain", parts)


def _together(
    x: torch.Tensor, optimizer: str, batch: int, epochs: int, *, compiled_steps: bool
) -> Callable[[], object]:
    models = [_network(seed) for seed in range(_NETWORKS)]
    configs = [
        TrainingConfig(
            optimizer=optimizer,
            learning_rate=_RATE,
            momentum=_MOMENTUM,
            schedule="constant",
            shuffle="once",
            batch_size=batch,
            epochs=epochs,
            seed=seed,
        )
        for seed in range(_NETWORKS)
    ]

    backend = many.compiled_backend() if compiled_steps else None

    def work() -> object:
        torch.set_num_threads(THREADS)
        with mock.patch.object(many, "compiled_backend", return_value=backend):
            return many.train_many(models, Rows(x), configs)

    return work


def _one_by_one(
    x: torch.Tensor, optimizer: str, batch: int, epochs: int, networks: int
) -> Callable[[], object]:
    def work() -> None:
        torch.set_num_threads(1)
        for seed in range(networks):
            torch.manual_seed(seed)
            sizes = ((35, 20), (20, 2), (2, 20), (20, 35))
            layers = [layer for a, b in sizes for layer in (nn.Linear(a, b), nn.Tanh())]
            model = nn.Sequential(*layers)
            stepper: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=_RATE)
            if optimizer == "sgd":
                stepper = torch.optim.SGD(model.parameters(), lr=_RATE, momentum=_MOMENTUM)
            for _ in range(epochs):
                for part in x.split(batch):
                    stepper.zero_grad()
                    nn.functional.mse_loss(model(part), part).backward()
                    stepper.step()

    return work
