"""The state of a training between two epochs: all that resuming needs, kept without pickle.

Random numbers follow from (seed, epoch), and the learning rate from progress, so neither is part of
the state; weights, optimizers and the best weights so far are.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cuello import atomic
from cuello.errors import Argument, DivergedError, RunError, Use
from cuello.train.config import TrainingConfig
from cuello.train.optimizers import GroupedOptimizer
from cuello.train.rows import Rows

__all__ = ["Checkpointer", "Epoch", "State", "divergence_error"]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Record one pass over the training samples.

    ``train`` and ``validation`` hold the mean of each named term over the samples; ``validation``
    is None where there are no validation samples. ``learning_rate`` is that of the last step.
    """

    epoch: int
    train: dict[str, float]
    validation: dict[str, float] | None
    learning_rate: float
    seconds: float

    @property
    def loss(self) -> float:
        """Return the number that early stopping watches: the validation total, or training's."""
        return sum((self.validation or self.train).values())


@dataclass
class State:
    """State of a training after ``epoch`` finished epochs."""

    model: nn.Module
    optimizers: dict[str, GroupedOptimizer]
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

        While losses are not ``comparable`` with those at the end of a training, which moves other
        optimizers, the last weights count as the best, and any comparable epoch as better.
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

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Copy everything that :meth:`load` needs: tensors, and metadata of a safetensors file."""
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best_weights.items()}
        for name, optimizer in self.optimizers.items():
            tensors |= {f"optimizer/{name}/{k}": v for k, v in optimizer.tensors().items()}
        record = {
            "history": [asdict(epoch) for epoch in self.history],
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
        }
        copies = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
        return copies, {"state": json.dumps(record)}

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of the same model and optimizers."""
        try:
            with safe_open(path, framework="pt") as f:
                tensors = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
                record = json.loads(f.metadata()["state"])
            self.model.load_state_dict(_below("model", tensors))
            self.best_weights = _below("best", tensors)
            for name, optimizer in self.optimizers.items():
                optimizer.load(_below(f"optimizer/{name}", tensors))
            self.history = [Epoch(**epoch) for epoch in record["history"]]
            self.best_loss, self.best_epoch = record["best_loss"], record["best_epoch"]
        except (
            OSError,
            SafetensorError,
            LookupError,
            TypeError,
            ValueError,
            RuntimeError,
        ) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise RunError(
                f"cannot be continued from ({reason})",
                value=path,
                remedy=["start again: ", Use("overwrite", True)],
            ) from error


@dataclass
class Checkpointer:
    """Write checkpoints: seldom while training goes on, and for certain at its end.

    Copying a state costs milliseconds; writing it to disk can cost more than a short epoch. Without
    a path it does nothing.
    """

    state: State
    path: Path | None
    seconds: float
    pending: tuple[dict[str, Tensor], dict[str, str]] | None = None
    written_at: float = field(default_factory=time.monotonic)

    def after_epoch(self) -> None:
        """Copy the state; write it if the last writing is long enough ago."""
        if self.path is not None:
            self.pending = self.state.snapshot()
            if time.monotonic() - self.written_at >= self.seconds:
                self.flush()

    def flush(self) -> None:
        """Write the last copy, unless it is written already."""
        if self.path is not None and self.pending is not None:
            tensors, metadata = self.pending
            on_host = {name: tensor.cpu() for name, tensor in tensors.items()}
            atomic.write(self.path, lambda path: save_file(on_host, path, metadata=metadata))
            self.pending, self.written_at = None, time.monotonic()


def divergence_error(
    step: int,
    terms: Mapping[str, float],
    losses: Sequence[float],
    config: TrainingConfig,
    rows: Rows,
) -> DivergedError:
    """Build the error that names the step, the most likely cause and the remedy.

    ``step`` counts from the start of the training. ``terms`` are those of its loss, whose total is
    not finite; ``losses`` are the total losses of the steps just before, oldest first.
    """
    # Terms that are finite can still add up to more than a float32 holds.
    overflow = ("total", math.inf)
    term, value = next((t for t in terms.items() if not math.isfinite(t[1])), overflow)
    largest = float(rows.x.nan_to_num().abs().max())
    rate = Argument("learning_rate", config.learning_rate)
    smaller = Argument("learning_rate", float(f"{config.learning_rate / 10:g}"))
    remedy: list[str | Argument] = ["try ", smaller, " or ", Argument("gradient_clip", 1.0)]
    lowest = min(losses, default=math.inf)
    cause: list[str | Argument]
    if losses and losses[-1] > 10 * lowest:
        rise = f"from {lowest:.3g} to {max(losses):.3g}"
        cause = [rate, f" is too large: the loss rose {rise} in the steps before"]
    elif largest > 1e3:
        cause = [f"the inputs are large (up to {largest:.3g})"]
        remedy = ["try ", Argument("scaling", "standard"), " or ", Argument("scaling", "minmax")]
    elif losses or step > 0:
        cause = ["one update at ", rate, " overflowed"]
    else:
        cause = ["the very first loss, before any update, is not finite"]
        remedy = ["try another initializer, or another loss"]
    start = f"the loss term {term!r} became {value} at step {step}. Likely cause: "
    return DivergedError([start, *cause, ". The last good weights were kept"], remedy=remedy)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
