"""What cuello's loop adds to a step of its convolutional network.

Target: as fast as the same layers in a bare PyTorch loop, but for what a clock cannot tell.
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.timing import Bar, Result, Settings, alternate, timed
from benchmarks.workload import RATE, images
from cuello import kinds, networks
from cuello.networks.layers import UpConvolution
from cuello.train import Rows, TrainingConfig, choose_placement, train

__all__ = ["run"]

_TARGET = 0.95  # times as fast as the bare loop: one that adds less than 5 %
_BATCH, _SIDE, _LATENT = 128, 28, 32
_ROWS = 10_000  # an epoch of all 60,000 takes too long to repeat


class Plain(nn.Module):
    """The layers as one writes them in plain PyTorch: no blocks, no kinds, no names."""

    def __init__(self, up: str) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(1, 32, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.to_latent = nn.Linear(64 * 7 * 7, _LATENT)
        self.from_latent = nn.Linear(_LATENT, 64 * 7 * 7)
        if up == "upsample":
            self.up2: nn.Module = UpConvolution(64, 32, 3, (14, 14))
            self.up1: nn.Module = UpConvolution(32, 1, 3, (_SIDE, _SIDE))
        else:
            options = {"stride": 2, "padding": 1, "output_padding": 1}
            self.up2 = nn.ConvTranspose2d(64, 32, 3, **options)
            self.up1 = nn.ConvTranspose2d(32, 1, 3, **options)

    def forward(self, x: Tensor) -> Tensor:
        """Return what goes into the last sigmoid, (B, 28, 28)."""
        h = x[:, None].contiguous(memory_format=torch.channels_last)
        h = F.relu(self.down2(F.relu(self.down1(h))))
        z = self.to_latent(h.permute(0, 2, 3, 1).flatten(1))
        h = F.relu(self.from_latent(z)).view(-1, 7, 7, 64).permute(0, 3, 1, 2)
        rows: Tensor = self.up1(F.relu(self.up2(h)))
        return rows[:, 0]


class Bare:
    """A loop without anything that is not a step: rows by index, fused Adam, autocast."""

    def __init__(self, x: Tensor, model: nn.Module, up: str) -> None:
        self.x, self.model = x, Plain(up)
        with torch.no_grad():
            for mine, theirs in zip(self.model.parameters(), model.parameters(), strict=True):
                mine.copy_(theirs)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE, fused=True)
        self.placement = choose_placement("cpu", "auto", _BATCH, model)

    def epoch(self) -> float:
        """Train on; return the mean loss."""
        total = torch.zeros(())
        with self.placement.limit_threads():
            for index in torch.randperm(len(self.x)).split(_BATCH):
                x = self.x.index_select(0, index)
                self.optimizer.zero_grad()
                with self.placement.autocast():
                    sums = self.model(x).float()
                    loss = F.binary_cross_entropy_with_logits(sums, x)
                loss.backward()
                self.optimizer.step()
                total += loss.detach() * len(x)
        return float(total) / len(self.x)


class Looped:
    """The same through cuello's kind and loop."""

    def __init__(self, x: Tensor, model: kinds.AutoencoderModule) -> None:
        self.rows, self.model = Rows(x), copy.deepcopy(model)
        self.config = TrainingConfig(
            learning_rate=RATE, schedule="constant", epochs=1, batch_size=_BATCH, device="cpu"
        )

    def epoch(self) -> float:
        """Train on; return the mean loss."""
        return train(self.model, self.rows, self.config)[-1].loss


def network(up: str) -> kinds.AutoencoderModule:
    """Build cuello's convolutional network, the same one at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder, decoder = networks.build_network(
            "conv", (_SIDE, _SIDE), _LATENT, _LATENT, options={"up": up}
        )
    parts = kinds.Parts(
        encoder=encoder,
        decoder=decoder,
        reconstruction=kinds.ReconstructionLoss(loss="bce"),
        shape=(_SIDE, _SIDE),
        latent_dim=_LATENT,
    )
    return kinds.build_module("plain", parts)


def run(settings: Settings) -> Result:
    """Measure."""
    pixels, source = images(min(settings.rows, _ROWS))
    x = _square(pixels)
    rows: list[tuple[object, ...]] = []
    bars: list[Bar] = []
    for up in ("upsample", "transposed"):
        model = network(up)
        loops = {"cuello": Looped(x, model), "bare loop": Bare(x, model, up)}
        losses = {name: loop.epoch() for name, loop in loops.items()}  # a warm-up, too
        seconds = alternate(
            {name: timed(loop.epoch) for name, loop in loops.items()}, settings.rounds
        )
        placed = choose_placement("cpu", "auto", _BATCH, model)
        steps = -(-len(x) // _BATCH)
        for name, taken in seconds.items():
            speed = min(seconds["bare loop"]) / min(taken)
            rows.append(
                (
                    up,
                    name,
                    "bf16" if placed.bf16 else "float32",
                    1000.0 * min(taken) / steps,
                    1000.0 * max(taken) / steps,
                    speed,
                    losses[name],
                )
            )
            if name == "cuello":
                bars.append(
                    Bar(
                        what=f"cuello, {up}: times as fast as the bare loop",
                        value=speed,
                        target=f"at least {_TARGET:g}",
                        met=speed >= _TARGET,
                    )
                )
    return Result(
        name="conv",
        columns=(
            "up",
            "loop",
            "precision",
            "ms/step, fastest round",
            "slowest",
            "times as fast as the bare loop",
            "loss of the first epoch",
        ),
        rows=rows,
        bars=bars,
        notes=[
            f"{len(x)} images of {source}, batch {_BATCH}; convolutions 1-32-64 of stride 2, "
            f"{_LATENT} latents, mirrored; channels-last, cross-entropy, fused Adam at {RATE:g}, "
            f"the same initial weights; {settings.rounds} alternating rounds of one epoch.",
            "The two take the images in different orders.",
        ],
    )


def _square(pixels: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(pixels).view(-1, _SIDE, _SIDE)
