"""Trials of a study, and the file in which finished ones are kept.

A record is a line of ``trials.jsonl``: options and seed of a trial, and what was measured.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cuello.arrays import Record
from cuello.errors import Argument, RunError

__all__ = ["Ran", "Record", "Trial", "over", "read_records", "run_trials"]

Ran = Iterator[tuple["Trial", dict[str, Any]]]
"""Trials as they finish, with what was measured; in any order."""


@dataclass(frozen=True)
class Trial:
    """Options by name, and a seed.

    Parameters
    ----------
    options : mapping
        Plain values (numbers, texts, lists of them), by name.
    seed : int
        Everything random in the trial follows from it.

    Examples
    --------
    >>> Trial({"hidden": (20, 10)}, 3).key
    '{"hidden": [20, 10]} 3'
    """

    options: Mapping[str, Any]
    seed: int = 0
    key: str = field(init=False, compare=True)
    """Says which trial it is; equal for equal options, whatever their order."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "key", f"{json.dumps(dict(self.options), sort_keys=True)} {self.seed}"
        )

    def __hash__(self) -> int:
        return hash(self.key)


def over(seeds: int, settings: Iterable[Mapping[str, Any]], **common: Any) -> list[Trial]:
    """Return a trial for every setting and seed.

    Examples
    --------
    >>> [trial.key for trial in over(2, [{"a": 1}], b=2)]
    ['{"a": 1, "b": 2} 0', '{"a": 1, "b": 2} 1']
    """
    return [Trial({**common, **own}, seed) for own in settings for seed in range(seeds)]


def run_trials(
    path: Path,
    trials: Sequence[Trial],
    run: Callable[[list[Trial]], Ran],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Record]:
    """Run the trials that a file does not hold yet, and return the records of all of them.

    Each record is written when its trial ends, so an interruption loses only what was under way.

    Parameters
    ----------
    path : Path
        The file, one JSON record a line; made if it is not there.
    trials : sequence of Trial
        In the order in which records are wanted.
    run : callable
        Takes the trials that are missing and yields each with what was measured.
    progress : callable
        Called with trials done, and all trials.

    Raises
    ------
    RunError
        If the file cannot be written, or holds something else.
    """
    wanted = {trial.key for trial in trials}
    found = {_trial_key(record): record for record in read_records(path)}
    missing = [trial for trial in dict.fromkeys(trials) if trial.key not in found]
    done = len(wanted) - len(missing)
    progress(done, len(wanted))
    if missing:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _drop_cut_line(path)
            with path.open("a", encoding="utf-8") as file:
                for trial, result in run(missing):
                    record = {"options": dict(trial.options), "seed": trial.seed, **result}
                    line = json.dumps(record)
                    file.write(line + "\n")
                    file.flush()
                    found[trial.key] = json.loads(line)
                    done += 1
                    progress(done, len(wanted))
        except OSError as error:
            raise RunError(
                f"{path} cannot be written ({error.strerror or error}); finished trials are kept",
                remedy=[
                    "make room, or write elsewhere with ",
                    Argument("out"),
                    ", and start again",
                ],
            ) from error
    return [found[trial.key] for trial in trials]


def read_records(path: Path) -> list[Record]:
    """Return the finished trials of a file; a last line that was cut short is left out.

    Raises
    ------
    RunError
        If another line is no record.
    """
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error}).") from error
    records: list[Record] = []
    for number, line in enumerate(lines):
        try:
            record = json.loads(line)
            _trial_key(record)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if number == len(lines) - 1 and not line.endswith("\n"):
                break
            raise RunError(
                f"{path}, line {number + 1} is no finished trial",
                remedy=["remove that line, or write elsewhere with ", Argument("out")],
            ) from error
        if line.endswith("\n"):
            records.append(record)
    return records


def _trial_key(record: Record) -> str:
    return Trial(record["options"], record["seed"]).key


def _drop_cut_line(path: Path) -> None:
    """Cut off what was being written when a process was killed: the next line starts clean."""
    if not path.exists():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        with path.open("rb+") as file:
            file.truncate(content.rfind(b"\n") + 1)
            os.fsync(file.fileno())
