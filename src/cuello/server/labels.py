"""Labels given in the browser: a CSV in the run folder that ``cuello fit`` reads."""

from __future__ import annotations

import csv
import io
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cuello import atomic
from cuello.arrays import Codes
from cuello.data import Dataset
from cuello.data.labels import read_label_file
from cuello.errors import DataError

__all__ = ["LABELS_FILE", "LabelFile"]

LABELS_FILE = "labels.csv"


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """The labels of a run's samples.

    Parameters
    ----------
    path : Path
        The CSV; it need not exist until labels are saved.
    names : tuple of str or None
        Names of the samples, where they have some.
    rows : int
        Number of samples that can be labelled.
    classes : tuple of str
        Allowed labels; empty: any.
    learned : mapping of int to str
        Labels to start with: those of the training.
    """

    path: Path
    names: tuple[str, ...] | None
    rows: int
    classes: tuple[str, ...]
    learned: Mapping[int, str]
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _kept: dict[str, tuple[tuple[int, int, int], dict[int, str]]] = field(
        default_factory=dict, repr=False
    )

    def read(self) -> dict[int, str]:
        """Return the class of every labelled sample.

        Raises
        ------
        DataError
            If the file is damaged.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return dict(self.learned)
        now = (found.st_ino, found.st_mtime_ns, found.st_size)
        kept = self._kept.get("last")
        if kept is None or kept[0] != now:
            kept = (now, self._read() if found.st_size else {})
            self._kept["last"] = kept  # as one value: threads see the old one or the new one
        return dict(kept[1])

    def codes(self) -> tuple[Codes, tuple[str, ...]]:
        """Return the class of every sample by number, -1 for none, and the names of the classes."""
        found = self.read()
        classes = self.classes or tuple(sorted(set(found.values())))
        codes = np.full(self.rows, -1, dtype=np.int64)
        for row, label in found.items():
            codes[row] = classes.index(label)
        return codes, classes

    def change(self, labels: Sequence[tuple[int, str | None]]) -> dict[int, str]:
        """Set or (None) remove labels, save them all, and return them.

        Raises
        ------
        DataError
            If ``cuello fit`` would refuse the file; it is then left as it was.
        RunError
            If it cannot be written.
        """
        with self._lock:  # nobody else may write between reading and writing
            found = self.read()
            for row, label in labels:
                if label is None:
                    found.pop(row, None)
                else:
                    found[row] = label.strip()
            content = self._write(found)
            if found:
                with tempfile.TemporaryDirectory() as folder:
                    trial = Path(folder) / self.path.name
                    trial.write_bytes(content)
                    codes, classes = self._parse(trial)
                read = {int(row): classes[codes[row]] for row in np.flatnonzero(codes >= 0)}
                if read != found:
                    raise DataError("a label would be read as another one; spell it differently.")
            atomic.write_bytes(self.path, content)
            return found

    def _read(self) -> dict[int, str]:
        codes, classes = self._parse(self.path)
        return {int(row): classes[codes[row]] for row in np.flatnonzero(codes >= 0)}

    def _parse(self, path: Path) -> tuple[Codes, tuple[str, ...]]:
        nothing = np.empty((self.rows, 0), dtype=np.float32)
        data = Dataset(
            X=nothing, classes=self.classes, row_names=self.names, name="run", source="run"
        )
        try:
            return read_label_file(path, data)
        except DataError as error:
            raise DataError(str(error).replace(str(path), self.path.name)) from error

    def _write(self, found: Mapping[int, str]) -> bytes:
        text = io.StringIO(newline="")
        if found:
            lines = [(self._name(row), found[row]) for row in sorted(found)]
            csv.writer(text).writerows([("row", "label"), *lines])
        return text.getvalue().encode()

    def _name(self, row: int) -> str | int:
        name = self.names[row] if self.names else ""
        return name if name and name == name.strip() else row
