"""A few labels for many rows: read from a CSV of ``row,label``, or drawn from known ones."""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import UNLABELLED, Dataset
from cuello.data.drawing import draw
from cuello.data.readers.base import content, listed, reading
from cuello.data.readers.separated import separator
from cuello.data.spelling import folded, is_typo, whole
from cuello.errors import DataError

__all__ = ["draw", "read"]

Codes = npt.NDArray[np.int64]

RARE, FREQUENT = 2, 10
"""A label of at most RARE rows that is nearly one FREQUENT times as common is a typing error."""


@dataclass(frozen=True)
class _Line:
    number: int
    row: int
    label: str


def read(path: str | Path, dataset: Dataset) -> tuple[Codes, tuple[str, ...]]:
    """Read labels from a CSV with two columns: which row, and its label.

    A row is named by its number in ``dataset.X`` (from 0), by its row name (for images the path in
    the folder, with ``/`` or ``\\``), or by the last part of that if only one row has it. A first
    line that names no row is a header. White space around a cell does not count.

    Parameters
    ----------
    path : str or Path
        Comma, semicolon or tab separated, UTF-8.
    dataset : Dataset
        If it has classes, labels have to be among them; otherwise the labels are the classes.

    Returns
    -------
    codes : ndarray of int64, shape (n,)
        -1 for all rows that the file does not name.
    classes : tuple of str

    Raises
    ------
    DataError
        With the number of the line: for a row that does not exist or has two labels, an empty
        label, a label that is no class or looks like a typing error of one.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from cuello.data import load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "labels.csv"
    ...     _ = file.write_text("row,label\\n0,@\\n2,B\\n")
    ...     codes, classes = read(file, load("font"))
    >>> codes[:4], classes[:3]
    (array([ 0, -1,  2, -1]), ('@', 'A', 'B'))
    """
    path = Path(path)
    lines = _parse(path, dataset)
    labels = _unique(lines, path, dataset)
    if dataset.classes:
        classes = dataset.classes
        named = {line.label: _known_class(line, classes, path) for line in labels}
    else:
        _refuse_variants(labels, path)
        classes = _sorted({line.label for line in labels})
        named = {name: i for i, name in enumerate(classes)}
    codes = np.full(len(dataset), UNLABELLED, dtype=np.int64)
    for line in labels:
        codes[line.row] = named[line.label]
    return codes, classes


def _parse(path: Path, dataset: Dataset) -> list[_Line]:
    if not path.is_file():
        raise DataError(f"{path} does not exist or is no file; give a CSV of row,label.")
    raw = content(path)
    with reading(path):
        text = raw.decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator(text), strict=True)
        cells = [(rows.line_num, [cell.strip() for cell in row]) for row in rows if any(row)]
    find = _Rows(dataset)
    if cells and find.is_header(cells[0][1]):
        cells = cells[1:]
    if not cells:
        raise DataError(f"{path} holds no labels; write lines of row,label, for example 0,cat.")
    return [_line(number, row, find, path) for number, row in cells]


def _line(number: int, cells: list[str], find: _Rows, path: Path) -> _Line:
    if len(cells) != 2:
        raise DataError(
            f"{path}, line {number}: {len(cells)} cells, but a line is row,label; put quotes "
            "around a cell that holds the separator."
        )
    if cells[1] in ("", str(UNLABELLED)):
        raise DataError(
            f"{path}, line {number}: the label of {cells[0]!r} is empty; leave the line out if the "
            "row is unlabelled."
        )
    row = find(cells[0])
    if row is None:
        raise DataError(f"{path}, line {number}: {find.complaint(cells[0])}")
    return _Line(number, row, cells[1])


class _Rows:
    """Finds rows by name, by the last part of the name where it is unique, or by number."""

    def __init__(self, dataset: Dataset) -> None:
        self.count = len(dataset)
        names = dataset.row_names or ()
        self.by_name = {name: i for i, name in enumerate(names)}
        self.by_base: dict[str, list[int]] = defaultdict(list)
        for i, name in enumerate(names):
            self.by_base[PurePosixPath(name).name].append(i)

    def __call__(self, cell: str) -> int | None:
        name = self._clean(cell)
        if name in self.by_name:
            return self.by_name[name]
        same_base = self.by_base.get(name, [])
        if len(same_base) == 1:
            return same_base[0]
        return int(name) if _is_row(name) and int(name) < self.count else None

    def is_header(self, cells: list[str]) -> bool:
        """Whether the first line is a header, and not a row with a mistake in its name."""
        name = self._clean(cells[0])
        if self(name) is not None or re.fullmatch(r"[+-]?\d+(\.\d*)?", name):
            return False
        like_a_name = "/" in name or "." in name
        return not (self.by_name and (like_a_name or self._near(name)))

    def complaint(self, cell: str) -> str:
        """Say why a cell names no row, and which one is near."""
        if re.fullmatch(r"[+-]?\d+", cell):
            return f"row {cell} does not exist; rows are 0 to {self.count - 1}."
        same_base = self.by_base.get(self._clean(cell), [])
        if len(same_base) > 1:
            return f"{len(same_base)} rows are named {cell!r}; write the path within the folder."
        if not self.by_name:
            return f"{cell!r} is no row number; rows of this data are 0 to {self.count - 1}."
        near = self._near(self._clean(cell))
        hint = f"; did you mean {near[0]!r}?" if near else f" or number 0 to {self.count - 1}."
        return f"no row is named {cell!r}{hint}"

    def _near(self, name: str) -> list[str]:
        # difflib is slow: with many names only those that begin or end alike are compared.
        names: Iterable[str] = self.by_name
        if len(self.by_name) > 5000:
            ends = (name[:3], PurePosixPath(name).stem[-3:])
            alike = (n for n in self.by_name if n.startswith(ends[0]) or ends[1] in n)
            names = itertools.islice(alike, 5000)
        return difflib.get_close_matches(name, list(names), n=1, cutoff=0.7)

    def _clean(self, cell: str) -> str:
        if cell in self.by_name:
            return cell
        return cell.replace("\\", "/").removeprefix("./")


def _is_row(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,15}", text))


def _unique(lines: list[_Line], path: Path, dataset: Dataset) -> list[_Line]:
    first: dict[int, _Line] = {}
    for line in lines:
        earlier = first.setdefault(line.row, line)
        if earlier.label != line.label:
            name = dataset.row_names[line.row] if dataset.row_names else str(line.row)
            raise DataError(
                f"{path}, line {line.number}: row {name!r} is {line.label!r} here and "
                f"{earlier.label!r} in line {earlier.number}; keep one of them."
            )
    return list(first.values())


def _known_class(line: _Line, classes: tuple[str, ...], path: Path) -> int:
    if line.label in classes:
        return classes.index(line.label)
    value = whole(line.label)
    same = [i for i, name in enumerate(classes) if value is not None and whole(name) == value]
    if same:
        return same[0]
    spelled = {folded(name): name for name in classes}
    near = difflib.get_close_matches(folded(line.label), spelled, n=1)
    hint = f"; did you mean {spelled[near[0]]!r}?" if near else "."
    raise DataError(
        f"{path}, line {line.number}: {line.label!r} is no class of the data{hint} Classes: "
        f"{listed(map(repr, classes))}."
    )


def _refuse_variants(lines: list[_Line], path: Path) -> None:
    """Refuse two spellings of what must be one class, where the labels alone define the classes."""
    counts = Counter(line.label for line in lines)
    first = {line.label: line.number for line in reversed(lines)}
    spelling: dict[str, str] = {}
    for label, _ in counts.most_common():
        usual = spelling.setdefault(folded(label), label)
        if usual != label:
            raise DataError(
                f"{path}, line {first[label]}: {label!r} differs from {usual!r} (line "
                f"{first[usual]}) only in case or spaces; write both alike."
            )
    for rare, common in itertools.product(counts, counts):
        few = counts[rare] <= RARE and counts[common] >= FREQUENT * counts[rare]
        if few and is_typo(rare.casefold(), common.casefold()):
            raise DataError(
                f"{path}, line {first[rare]}: {rare!r} looks like a typing error of {common!r} "
                f"({counts[rare]} against {counts[common]} rows); correct it, or if it is a class "
                "of its own give it a name that differs more."
            )


def _sorted(labels: set[str]) -> tuple[str, ...]:
    numeric = all(whole(label) is not None for label in labels)
    return tuple(sorted(labels, key=lambda label: (whole(label) or 0, label) if numeric else label))
