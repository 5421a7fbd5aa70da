"""The state of a training between two epochs: all that resuming needs, kept without pickle.

Every epoch seeds its own random numbers from (seed, epoch), and the learning rate is a function of
progress, so neither is part of the state; weights, optimizers and the best weights so far are.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cuello import atomic
from cuello.errors import RunError, Use
from cuello.train.history import Epoch

__all__ = ["Checkpointer", "Snapshot", "State"]

Optimizers = dict[str, torch.optim.Optimizer]


@dataclass(frozen=True)
class Snapshot:
    """A copy of a state, ready to be written."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]

    def save(self, path: Path) -> None:
        """Write one safetensors file, atomically."""
        on_host = {name: tensor.cpu() for name, tensor in self.tensors.items()}
        atomic.write(path, lambda temporary: save_file(on_host, temporary, metadata=self.metadata))


@dataclass
class State:
    """State of a training after ``epoch`` finished epochs."""

    model: nn.Module
    optimizers: Optimizers
    history: list[Epoch] = field(default_factory=list)
    best_loss: float = float("inf")
    best_epoch: int = -1
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Before the first epoch ends, the last good weights are those it started from.
        self.best_weights = self._copy_weights()

    @property
    def epoch(self) -> int:
        """Return the number of finished epochs."""
        return len(self.history)

    def record(self, epoch: Epoch, *, comparable: bool = True) -> None:
        """Append a finished epoch, and keep the weights if they are the best so far.

        Before the optimizers move that move at the end of a training, losses cannot be compared
        with later ones: the last weights count as the best, and any comparable epoch as better.
        """
        self.history.append(epoch)
        if not comparable or epoch.loss < self.best_loss:
            self.best_loss = epoch.loss if comparable else float("inf")
            self.best_epoch = epoch.epoch
            self.best_weights = self._copy_weights()

    def restore_best(self) -> None:
        """Put the best weights back into the model."""
        self.model.load_state_dict(self.best_weights)

    def _copy_weights(self) -> dict[str, Tensor]:
        return {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    def snapshot(self) -> Snapshot:
        """Copy everything that :meth:`load` needs; later steps do not change the copy."""
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best_weights.items()}
        for name, optimizer in self.optimizers.items():
            for index, slots in optimizer.state_dict()["state"].items():
                for slot, value in slots.items():
                    if isinstance(value, Tensor):  # some optimizers keep empty slots as None
                        tensors[f"optimizer/{name}/{index}/{slot}"] = value
        record = {
            "history": [epoch.to_json() for epoch in self.history],
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
        }
        copies = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
        return Snapshot(copies, {"state": json.dumps(record)})

    def load(self, path: Path) -> None:
        """Continue from a file that :class:`Snapshot` wrote, for the same model and optimizers.

        Raises
        ------
        RunError
            If the file is damaged or belongs to another model.
        """
        try:
            with safe_open(path, framework="pt") as f:
                tensors = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
                record = json.loads(f.metadata()["state"])
            self.model.load_state_dict(_below("model", tensors))
            self.best_weights = _below("best", tensors)
            for name, optimizer in self.optimizers.items():
                slots: dict[int, dict[str, Any]] = {}
                for key, value in _below(f"optimizer/{name}", tensors).items():
                    index, slot = key.split("/")
                    slots.setdefault(int(index), {})[slot] = value
                groups = optimizer.state_dict()["param_groups"]
                optimizer.load_state_dict({"state": slots, "param_groups": groups})
                _like_weights(optimizer)
            self.history = [Epoch(**epoch) for epoch in record["history"]]
            self.best_loss, self.best_epoch = record["best_loss"], record["best_epoch"]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise RunError(
                f"cannot be continued from ({reason})",
                value=path,
                remedy=["start again: ", Use("overwrite", True)],
            ) from error


@dataclass
class Checkpointer:
    """Write checkpoints: seldom while training goes on, and for certain at its end.

    Copying a state costs milliseconds; writing it to disk can cost more than a short epoch.
    """

    state: State
    path: Path
    seconds: float
    pending: Snapshot | None = None
    written_at: float = field(default_factory=time.monotonic)

    def after_epoch(self) -> None:
        """Copy the state; write it if the last writing is long enough ago."""
        self.pending = self.state.snapshot()
        if time.monotonic() - self.written_at >= self.seconds:
            self.flush()

    def flush(self) -> None:
        """Write the last copy, unless it is written already."""
        if self.pending is not None:
            self.pending.save(self.path)
            self.pending, self.written_at = None, time.monotonic()


def _like_weights(optimizer: torch.optim.Optimizer) -> None:
    """Lay out an optimizer's state in memory as the weights are.

    Files hold the usual order only. Fused optimizers walk through weights and slots side by side,
    without a look at either's order: weights in channels-last would meet the slots of others.
    """
    for weight, slots in optimizer.state.items():
        for name, value in slots.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                slots[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
