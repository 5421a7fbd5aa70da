"""What a browser is shown of a job while it runs: progress, losses, reconstructions so far."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch

from cuello import clock
from cuello.arrays import Array
from cuello.estimators import Autoencoder
from cuello.networks import NETWORKS
from cuello.run.folder import RunFolder
from cuello.run.job import Progress
from cuello.train import Epoch

__all__ = ["LiveProgress"]

_SECONDS, _MOST_SECONDS = 1.0, 10.0  # between two writings
_WRITING_SHARE = 0.02  # of the time for writing, unless more seconds than that would pass
_SAMPLES, _NUMBERS = 8, 200_000


@dataclass
class LiveProgress:
    """Pass progress on, and keep it in ``progress.jsonl`` and ``preview.npz`` of the run folder."""

    folder: RunFolder
    shown: Progress
    samples: Array
    """Held-out samples, or else training samples, (n, ...)."""
    epochs: list[Epoch] = field(default_factory=list)
    stage: tuple[str, str] = ("", "")
    begun: tuple[float, int] = (0.0, 0)
    next_progress: float = 0.0
    next_preview: float = 0.0

    def update(self, stage: str, done: int, total: int, detail: str = "") -> None:
        """Show progress; write it where it is new, or was written some time ago."""
        self.shown.update(stage, done, total, detail)
        now, (before, last) = clock.now(), self.stage
        latest = detail or (last if stage == before else "")
        if stage != before:
            self.begun = now, done
        # A method may take minutes and be told once; of epochs and steps there are thousands.
        if stage != before or (stage == "few labels" and detail) or now >= self.next_progress:
            started, first = self.begun
            pace = (now - started) / (done - first) if done > first else None
            record = {
                "stage": stage,
                "done": done,
                "total": total,
                "detail": latest,
                "seconds_left": None if pace is None else pace * (total - done),
                "epochs": [asdict(epoch) for epoch in self.epochs],
            }
            self.folder.write_lines("progress.jsonl", [record])
            self.next_progress = _next(now)
        self.stage = stage, latest

    def say(self, text: str) -> None:
        """Show a message."""
        self.shown.say(text)

    def after_epoch(self, epoch: Epoch, model: Autoencoder) -> None:
        """Take an epoch's losses, and reconstruct some samples if the last time was long ago."""
        self.epochs.append(epoch)
        now = clock.now()
        if now < self.next_preview or NETWORKS[model.network_].is_sequence:
            return
        some = self.samples[: max(1, min(_SAMPLES, _NUMBERS // self.samples[0].size))]
        # A copy: the module that is trained stays on its device and in its mode.
        module = copy.deepcopy(model.module_).cpu().eval()
        module.progress = 1.0
        with torch.random.fork_rng(devices=[]):
            rebuilt = replace(model.trained_, module=module).reconstruct(some)
        low, high = model.scaling_.low, model.scaling_.high
        unit = [
            (model.scaling_.apply(X) - low) / max(high - low, 1e-12) if X.ndim > 2 else X
            for X in (some, rebuilt)
        ]
        arrays = {"original": unit[0], "reconstruction": unit[1], "epoch": np.array(epoch.epoch)}
        self.folder.write_arrays("preview.npz", arrays)
        self.next_preview = _next(now)


def _next(started: float) -> float:
    """Return when to write again after a writing that began then."""
    now = clock.now()
    return now + max(_SECONDS, min(_MOST_SECONDS, (now - started) / _WRITING_SHARE))
