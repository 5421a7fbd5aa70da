"""Trials of a study: their measures, and the file in which finished ones are kept, one a line."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from cuello.arrays import Record
from cuello.data import UNLABELLED
from cuello.errors import Argument, RunError
from cuello.estimators import Autoencoder
from cuello.metrics import sample_errors
from cuello.networks import NETWORKS
from cuello.run.examples import unit_width
from cuello.run.prepare import Prepared

__all__ = [
    "MEASURES",
    "Ran",
    "Record",
    "Trial",
    "measure",
    "over",
    "read_records",
    "run_trials",
    "unwritable",
]

MEASURES = {
    "validation_mse": "mean squared error of validation samples, data in 0..1",
    "test_mse": "mean squared error of test samples, data in 0..1",
    "train_mse": "mean squared error of training samples, data in 0..1",
    "validation_loss": "minimised loss, of validation samples",
    "knn_accuracy": "accuracy of 5 nearest neighbours in the embeddings, of validation samples",
    "seconds": "training time, s",
}
"""Measures of a trial, each with its unit."""

Ran = Iterator[tuple["Trial", dict[str, Any]]]
"""Trials as they finish, with their measures; in any order."""

_MOST_SAMPLES = 10_000  # of the training samples, for an error or nearest neighbours


@dataclass(frozen=True)
class Trial:
    """The options of a trial (plain values, by name), and the seed of all that is random in it."""

    options: Mapping[str, Any]
    seed: int = 0

    @functools.cached_property
    def key(self) -> str:
        """Return a name of the trial: equal for equal options, whatever their order."""
        return f"{json.dumps(dict(self.options), sort_keys=True)} {self.seed}"

    def __hash__(self) -> int:
        return hash(self.key)


def over(seeds: int, settings: Iterable[Mapping[str, Any]], **common: Any) -> list[Trial]:
    """Return a trial for every setting and seed."""
    return [Trial({**common, **each}, seed) for each in settings for seed in range(seeds)]


def run_trials(
    path: Path,
    trials: Sequence[Trial],
    run: Callable[[list[Trial]], Ran],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Record]:
    """Run the trials that a file does not hold yet, and return the records of all, in this order.

    Each is written when it ends, so an interruption loses only what was under way. ``run`` takes
    the missing ones and yields each with its measures. An unusable file is a RunError.
    """
    wanted = {trial.key: trial for trial in trials}
    finished = {_trial_key(record): record for record in read_records(path)}
    missing = [trial for key, trial in wanted.items() if key not in finished]
    done = len(wanted) - len(missing)
    progress(done, len(wanted))
    if missing:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                for trial, measured in run(missing):
                    record = {"options": dict(trial.options), "seed": trial.seed, **measured}
                    line = json.dumps(record)
                    file.write(line + "\n")
                    file.flush()
                    finished[trial.key] = json.loads(line)
                    done += 1
                    progress(done, len(wanted))
        except OSError as error:
            raise unwritable(path, error) from error
    return [finished[trial.key] for trial in trials]


def unwritable(path: Path, error: OSError) -> RunError:
    """Return the error of a file or folder of a study that cannot be written."""
    return RunError(
        f"{path} cannot be written ({error.strerror or error}); finished trials are kept",
        remedy=["make room, or write elsewhere with ", Argument("out"), ", and start again"],
    )


def read_records(path: Path) -> list[Record]:
    """Return the finished trials of a file; cut off a last line that a killed process left."""
    if not path.exists():
        return []
    try:
        content = path.read_bytes()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            os.truncate(path, end)
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error}).") from error
    records: list[Record] = []
    lines = content[:end].decode("utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            records.append(json.loads(line))
            _trial_key(records[-1])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(
                f"{path}, line {number} is no finished trial",
                remedy=["remove that line, or write elsewhere with ", Argument("out")],
            ) from error
    return records


def _trial_key(record: Record) -> str:
    return Trial(record["options"], record["seed"]).key


def measure(model: Autoencoder, prepared: Prepared) -> dict[str, Any]:
    """Return every one of :data:`MEASURES` of a fitted model, and its number of parameters."""
    test, _ = prepared.test
    width = unit_width(prepared.train, sequences=NETWORKS[model.network_].is_sequence)
    splits = {
        "train_mse": prepared.train[:_MOST_SAMPLES],
        "validation_mse": prepared.validation,
        "test_mse": test,
    }
    measured: dict[str, Any] = {
        name: float(sample_errors(X / width, model.reconstruct(X) / width).mean())
        for name, X in splits.items()
        if len(X)
    }
    measured["validation_loss"] = min(epoch.loss for epoch in model.history_)
    measured["seconds"] = sum(epoch.seconds for epoch in model.history_)
    measured["parameters"] = sum(p.numel() for p in model.module_.parameters())
    if prepared.data.y is not None:
        measured["knn_accuracy"] = _knn_accuracy(model, prepared)
    return measured


def _knn_accuracy(model: Autoencoder, prepared: Prepared) -> float | None:
    X, y = prepared.data.X, np.asarray(prepared.data.y)
    train, held_out = (
        split[y[split] != UNLABELLED][:_MOST_SAMPLES]
        for split in (prepared.rows.train, prepared.rows.validation)
    )
    if len(train) < 5 or len(held_out) == 0:
        return None
    neighbours = KNeighborsClassifier(5).fit(model.transform(X[train]), y[train])
    return float(neighbours.score(model.transform(X[held_out]), y[held_out]))
