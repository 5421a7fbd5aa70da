"""A run folder: everything to reload, repeat and explain a model on another machine.

::

    config.json          options, versions, fingerprint of the data, state of the run, and what
                         rebuilds the models
    model.safetensors    learned tensors of the models
    metrics.json         measurements
    history.jsonl        one line an epoch
    few_labels.jsonl     one line a label draw and method
    embeddings.parquet   the embedding of every sample
    examples.npz         test samples beside their reconstructions, for the report
    report.html          the page
    checkpoint.safetensors   only while a training is not finished
    progress.jsonl, preview.npz   only while a process trains: what a browser is shown

Every file is written atomically, and none of them needs pickle. This module needs no torch, which
takes long to import.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cuello import atomic
from cuello.arrays import Array, Record
from cuello.errors import Argument, RunError, Text
from cuello.run.schema import CONFIG, FINISHED_CONFIG, METRICS, find_fault, method_scores

__all__ = ["RunFolder"]

_LIVE_FILES = ("progress.jsonl", "preview.npz")
_RUN_FILES = (
    *_LIVE_FILES,
    "model.safetensors",
    "metrics.json",
    "history.jsonl",
    "few_labels.jsonl",
    "embeddings.parquet",
    "examples.npz",
    "report.html",
    "checkpoint.safetensors",
    "config.json",
)

_ELSEWHERE: Text = ["choose another folder with ", Argument("out")]


@dataclass(frozen=True)
class RunFolder:
    """The files of one run.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def weights(self) -> Path:
        """Learned tensors of the models."""
        return self.path / "model.safetensors"

    @property
    def checkpoint(self) -> Path:
        """State of an unfinished training."""
        return self.path / "checkpoint.safetensors"

    @property
    def embeddings(self) -> Path:
        """Table of the embedding of every sample."""
        return self.path / "embeddings.parquet"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run, finished or not."""
        return (self.path / "config.json").is_file()

    @property
    def is_complete(self) -> bool:
        """Whether models and metrics are there."""
        return self.weights.is_file() and (self.path / "metrics.json").is_file()

    def config(self, *, finished: bool = False) -> Record:
        """Read the configuration, of a ``finished`` run with the record of its autoencoder.

        Raises
        ------
        RunError
            If it is missing, damaged, or lacks something.
        """
        return self._checked("config.json", FINISHED_CONFIG if finished else CONFIG)

    def metrics(self) -> Record:
        """Read the metrics.

        Raises
        ------
        RunError
            If it is missing, damaged, or lacks something.
        """
        content = self._checked("metrics.json", METRICS)
        scores = method_scores(content["data"]["task"])
        if fault := find_fault(content["few_labels"], [scores], "few_labels"):
            raise self.damaged("metrics.json", fault)
        return content

    def set_config(self, **values: Any) -> None:
        """Change values of the configuration."""
        self.write_json("config.json", self.read_json("config.json") | values)

    def start(self, config: Record, *, overwrite: bool = False) -> None:
        """Make the folder and write its configuration."""
        self.refuse_to_replace(overwrite=overwrite)
        if self.exists:
            # Only the files of a run are removed: whatever else a user keeps there stays. The
            # configuration goes last, so that a kill half-way leaves a folder that is still a run.
            for name in _RUN_FILES:
                (self.path / name).unlink(missing_ok=True)
        self.write_json("config.json", config)

    def clear_progress(self) -> None:
        """Remove what is kept only while a process trains."""
        for name in _LIVE_FILES:
            (self.path / name).unlink(missing_ok=True)

    def refuse_to_replace(self, *, overwrite: bool = False) -> None:
        """Refuse (RunError) a folder that holds a run (unless ``overwrite``), or anything else."""
        if self.path.is_file():
            raise RunError("is a file", argument="out", value=str(self.path), remedy=_ELSEWHERE)
        if self.exists and not overwrite:
            raise RunError(
                f"{self.path} already holds a run",
                remedy=[
                    "continue it with ",
                    Argument("resume", str(self.path)),
                    ", replace it with ",
                    Argument("overwrite", True),
                    ", or choose another folder with ",
                    Argument("out"),
                ],
            )
        if not self.exists and self.path.is_dir() and any(self.path.iterdir()):
            raise RunError(f"{self.path} is not empty and holds no run", remedy=_ELSEWHERE)

    def read_json(self, name: str) -> Record:
        """Read one of the JSON files; refuse (RunError) one that is missing or damaged."""
        file = self.path / name
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(
                f"{file} does not exist: {self.path} is not a run folder, or its run is not "
                "finished",
                remedy=["continue it with ", Argument("resume", str(self.path))],
            ) from None
        except (OSError, ValueError) as error:
            raise self.damaged(name, error) from error
        if not isinstance(content, dict):
            raise self.damaged(name, "it holds no JSON object")
        return content

    def write_json(self, name: str, content: Any) -> None:
        """Write one of the JSON files, readable by people and by strict parsers (no NaN)."""
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        atomic.write_bytes(self.path / name, (text + "\n").encode())

    def read_lines(self, name: str) -> list[Record]:
        """Read a file of one JSON object a line; a file that does not exist has none."""
        try:
            text = (self.path / name).read_text(encoding="utf-8")
            return [json.loads(line) for line in text.splitlines()]
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise self.damaged(name, error) from error

    def write_lines(self, name: str, records: list[Record]) -> None:
        """Write a file of one JSON object a line."""
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
        atomic.write_bytes(self.path / name, text.encode())

    def write_arrays(self, name: str, arrays: dict[str, Array]) -> None:
        """Write named arrays to a compressed ``.npz``."""

        def fill(temporary: Path) -> None:
            with temporary.open("wb") as f:  # a name without .npz would get it appended
                np.savez_compressed(f, allow_pickle=False, **arrays)

        atomic.write(self.path / name, fill)

    def read_arrays(self, name: str) -> dict[str, Array]:
        """Read named arrays from an ``.npz``; a file that does not exist has none."""
        file = self.path / name
        try:
            with file.open("rb") as f, np.load(f, allow_pickle=False) as archive:
                return dict(archive)
        except FileNotFoundError:
            return {}
        except Exception as error:  # zipfile, zlib and NumPy each have their own
            raise self.damaged(name, error) from error

    def damaged(self, name: str, reason: object) -> RunError:
        """Build the error for a file that cannot be used."""
        return RunError(
            f"{self.path / name} is damaged ({reason})",
            remedy="restore the folder or run the fit again",
        )

    def _checked(self, name: str, schema: Any) -> Record:
        content = self.read_json(name)
        fault = find_fault(content, schema)
        if fault:
            raise self.damaged(name, fault)
        return content
