"""The lines of a CSV of labels: the sample that each names, and its label."""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cuello.data.dataset import Dataset
from cuello.data.readers.base import read_content, reading
from cuello.data.readers.tables import find_separator
from cuello.errors import Argument, DataError

__all__ = ["Line", "read_lines", "refuse_empty_label"]

_ROW_NUMBER = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class Line:
    """A line that is no header: a sample by its name, and the other cells."""

    where: str  # file and number of the line, for errors
    number: int
    row: int
    name: str
    cells: tuple[str, ...]

    @property
    def label(self) -> str:
        """The one label of a line, or all properties."""
        return ",".join(self.cells)


def read_lines(path: Path, dataset: Dataset, task: str) -> tuple[tuple[str, ...], list[Line]]:
    """Read a file: its first line, if that is a header, and the others, with as many cells."""
    if not path.is_file():
        raise DataError(
            "does not exist or is no file", value=path, remedy="give a CSV of row,label"
        )
    raw = read_content(path)
    with reading(path):
        text = raw.decode("utf-8-sig")
        rows = csv.reader(
            io.StringIO(text, newline=""), delimiter=find_separator(text), strict=True
        )
        lines = [(rows.line_num, [cell.strip() for cell in row]) for row in rows if any(row)]
    find = _RowFinder(dataset)
    header: tuple[str, ...] = ()
    if lines and find.is_header(lines[0][1]):
        header, lines = tuple(lines[0][1]), lines[1:]
    if not lines:
        raise DataError(
            "holds no labels", value=path, remedy="write lines of row,label, for example 0,cat"
        )
    if task == "multilabel" and len(header) < 3:
        raise DataError(
            (
                Argument("task", "multilabel"),
                " needs a first line that names two properties or more, such as row,even,loop",
            ),
            value=path,
        )
    if task not in ("auto", "multilabel"):
        header = header[:2]
    if len(header) > 2 and ("" in header[1:] or len(set(header[1:])) < len(header) - 1):
        raise DataError("the first line must give each property another name", value=path)
    width = max(len(header), 2)
    return header, [_check_line(number, cells, width, find, path) for number, cells in lines]


def _check_line(number: int, cells: list[str], width: int, find: _RowFinder, path: Path) -> Line:
    where = f"{path}, line {number}"
    if len(cells) != width:
        content = "row,label" if width == 2 else f"a row and {width - 1} properties"
        raise DataError(
            f"{len(cells)} cells, but a line is {content}",
            value=where,
            remedy="put quotes around a cell that holds the separator",
        )
    row = find(cells[0])
    line = Line(where, number, -1 if row is None else row, cells[0], tuple(cells[1:]))
    refuse_empty_label(line, "")
    if row is None:
        raise DataError(find.explain(cells[0]), value=where)
    return line


def refuse_empty_label(line: Line, empty: str) -> None:
    """Refuse a line with a cell that holds no label."""
    if empty in line.cells:
        raise DataError(
            f"the label of {line.name!r} is empty",
            value=line.where,
            remedy="leave the line out if the row is unlabelled",
        )


class _RowFinder:
    """Search for samples by name, by the last part of a name where it is unique, or by number."""

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
        return int(name) if _ROW_NUMBER.fullmatch(name) and int(name) < self.count else None

    def is_header(self, cells: list[str]) -> bool:
        """Check whether the first line is a header, not a row with a mistake in its name."""
        name = self._clean(cells[0])
        if self(name) is not None or re.fullmatch(r"[+-]?\d+(\.\d*)?", name):
            return False
        like_a_name = "/" in name or "." in name
        return not (self.by_name and (like_a_name or self._near(name)))

    def explain(self, cell: str) -> str:
        """Return why a cell names no row, and the nearest name."""
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
