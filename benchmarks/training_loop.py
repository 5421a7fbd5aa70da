"""cuello's loop against the loop of a good plain-PyTorch tutorial.

Target: at least twice as fast at batch 128, and the same loss within 2 %.
"""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.timing import Bar, Result, Settings, alternate, timed
from benchmarks.workload import FEATURES, HIDDEN, LATENT, RATE, Cuello, images, linear_layers
from benchmarks.workload import network as cuello_network

__all__ = ["run"]

_TARGET_SPEED, _TARGET_LOSS, _TARGET_AT = 2.0, 2.0, 128


class Tutorial:
    """What a tutorial writes; with ``item`` it asks for the loss after every step, as most do."""

    def __init__(self, x: npt.NDArray[np.float32], batch_size: int, *, item: bool) -> None:
        widths = [FEATURES, *HIDDEN, LATENT, *reversed(HIDDEN), FEATURES]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        layers[2 * len(HIDDEN) + 1] = (
            nn.Identity()
        )  # the embedding is linear, as in cuello's network
        layers[-1] = nn.Sigmoid()
        self.model = nn.Sequential(*layers)
        for mine, theirs in zip(
            linear_layers(self.model), linear_layers(cuello_network()), strict=True
        ):
            mine.load_state_dict(theirs.state_dict())
        self.dataset = TensorDataset(torch.from_numpy(x))
        self.loader = DataLoader(self.dataset, batch_size=batch_size, shuffle=True)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE)
        self.criterion = nn.MSELoss()
        self.item = item

    def epoch(self, loader: DataLoader[tuple[Tensor, ...]]) -> float:
        """Train on; return the mean loss."""
        total: float | Tensor = 0.0
        for (x,) in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), x)
            loss.backward()
            self.optimizer.step()
            total += (loss.item() if self.item else loss.detach()) * len(x)
        return float(total) / len(self.dataset)

    def replay(self, order: Tensor) -> float:
        """Train on with the samples in this order (epochs, rows); return the last mean loss.

        With another order the loss after a few epochs differs by a percent or two by chance.
        """
        batch_size = self.loader.batch_size
        loaders = [DataLoader(self.dataset, batch_size, sampler=row.tolist()) for row in order]
        return [self.epoch(loader) for loader in loaders][-1]


def run(settings: Settings) -> Result:
    """Measure."""
    x, source = images(settings.rows)
    epochs = 2 if settings.quick else 5
    rows: list[tuple[object, ...]] = []
    bars: list[Bar] = []
    for batch in (128, 1024):
        ours = {f"cuello {p}": Cuello(x, batch, p) for p in ("auto", "float32")}
        theirs = {
            "tutorial": Tutorial(x, batch, item=True),
            "tutorial without .item()": Tutorial(x, batch, item=False),
        }
        # All from the same weights through the same batches; it warms up for the timing, too.
        losses = {name: loop.epochs(epochs) for name, loop in ours.items()}
        order = torch.cat(ours["cuello auto"].rows.order).view(epochs, len(x))
        losses |= {name: loop.replay(order) for name, loop in theirs.items()}
        contestants = {name: timed(partial(loop.epochs, 1)) for name, loop in ours.items()}
        contestants |= {
            name: timed(partial(loop.epoch, loop.loader)) for name, loop in theirs.items()
        }
        seconds = alternate(contestants, settings.rounds)
        rival = min(theirs, key=lambda name: min(seconds[name]))
        for name, own in seconds.items():
            speed = min(seconds[rival]) / min(own)
            apart = 100.0 * (losses[name] / losses["tutorial"] - 1.0)
            rows.append((batch, name, min(own), max(own), speed, losses[name], apart))
            if name in ours:
                bars.append(
                    Bar(
                        what=f"{name}, batch {batch}: loss apart from the tutorial's, %",
                        value=apart,
                        target=f"within {_TARGET_LOSS:g}",
                        met=abs(apart) <= _TARGET_LOSS,
                    )
                )
            if name == "cuello auto" and batch == _TARGET_AT:
                bars.append(
                    Bar(
                        what=f"{name}, batch {batch}: times as fast as the fastest tutorial",
                        value=speed,
                        target=f"at least {_TARGET_SPEED:g}",
                        met=speed >= _TARGET_SPEED,
                    )
                )
    return Result(
        name="training_loop",
        columns=(
            "batch",
            "loop",
            "s/epoch, fastest",
            "slowest",
            "times as fast as the fastest tutorial",
            f"loss after {epochs} epochs",
            "apart, %",
        ),
        rows=rows,
        bars=bars,
        notes=[
            f"{len(x)} samples of {source}; dense 784-512-256-32-256-512-784, MSE, Adam at 1e-3, "
            f"the same initial weights; {settings.rounds} alternating rounds of one epoch.",
            "Losses are those of a training through the same batches in the same order.",
        ],
    )
