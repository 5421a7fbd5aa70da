"""Labels set in the browser: a CSV in the run folder that ``cuello fit`` reads."""

from __future__ import annotations

import csv
import io
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from cuello import atomic
from cuello.arrays import Codes
from cuello.data import Dataset
from cuello.data.labels import with_labels
from cuello.errors import DataError

__all__ = ["LABELS_FILE", "LabelFile"]

LABELS_FILE = "labels.csv"


class LabelFile:
    """The labels of a run's samples, kept in a CSV that need not exist until labels are saved.

    Without ``classes`` any label may be set; ``learned`` holds those of the training.
    """

    def __init__(
        self,
        *,
        path: Path,
        names: tuple[str, ...] | None,
        samples: int,
        classes: tuple[str, ...],
        learned: Mapping[int, str],
    ) -> None:
        self.path, self.names, self.samples = path, names, samples
        self.classes, self.learned = classes, learned
        self._lock = threading.Lock()
        self._read = lru_cache(maxsize=1)(lambda *stamp: self._parse(path) if stamp[-1] else {})

    def read(self) -> dict[int, str]:
        """Return the class of every labelled sample; a damaged file is a DataError."""
        try:
            file = self.path.stat()
        except FileNotFoundError:
            return dict(self.learned)
        return dict(self._read(file.st_ino, file.st_mtime_ns, file.st_size))

    def codes(self) -> tuple[Codes, tuple[str, ...]]:
        """Return the class of every sample by number, -1 for none, and the names of the classes."""
        labels = self.read()
        classes = self.classes or tuple(sorted(set(labels.values())))
        codes = np.full(self.samples, -1, dtype=np.int64)
        for row, label in labels.items():
            codes[row] = classes.index(label)
        return codes, classes

    def change(self, changes: Sequence[tuple[int, str | None]]) -> dict[int, str]:
        """Set or (None) remove labels and save all, unless ``cuello fit`` would refuse the file."""
        with self._lock:  # nobody else may write between reading and writing
            labels = self.read()
            for row, label in changes:
                if label is None:
                    labels.pop(row, None)
                else:
                    labels[row] = label.strip()
            text = io.StringIO(newline="")
            if labels:
                lines = [(self._name(row), labels[row]) for row in sorted(labels)]
                csv.writer(text).writerows([("row", "label"), *lines])
            content = text.getvalue().encode()
            if labels:
                with tempfile.TemporaryDirectory() as folder:
                    trial = Path(folder) / self.path.name
                    trial.write_bytes(content)
                    if self._parse(trial) != labels:
                        raise DataError(
                            "a label would be read as another one; spell it differently."
                        )
            atomic.write_bytes(self.path, content)
            return labels

    def _parse(self, path: Path) -> dict[int, str]:
        nothing = np.empty((self.samples, 0), dtype=np.float32)
        data = Dataset(
            X=nothing, classes=self.classes, row_names=self.names, name="run", source="run"
        )
        try:
            data = with_labels(path, data, "multiclass")
        except DataError as error:
            raise DataError(str(error).replace(str(path), self.path.name)) from error
        assert data.y is not None
        return {int(row): data.classes[data.y[row]] for row in np.flatnonzero(data.labelled)}

    def _name(self, row: int) -> str | int:
        name = self.names[row] if self.names else ""
        return name if name and name == name.strip() else row
