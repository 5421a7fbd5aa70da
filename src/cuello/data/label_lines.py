"""The lines of a CSV of labels: which sample each names, and its label."""

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
from cuello.data.readers.separated import find_separator
from cuello.errors import Argument, DataError

__all__ = ["Line", "line_error", "read_lines", "refuse_empty_label"]


@dataclass(frozen=True)
class Line:
    """A line that is no header.

    Parameters
    ----------
    number : int
        Of the line, from 1.
    row : int
        Of the data.
    name : str
        As the line calls that row.
    cells : tuple of str
        The others.
    """

    number: int
    row: int
    name: str
    cells: tuple[str, ...]

    @property
    def label(self) -> str:
        """The one label of a line, or all properties."""
        return ",".join(self.cells)


def line_error(path: Path, number: int, problem: str, remedy: str = "") -> DataError:
    """Build the error for a line of a file."""
    return DataError(problem, value=f"{path}, line {number}", remedy=remedy)


def read_lines(path: Path, dataset: Dataset, task: str) -> tuple[tuple[str, ...], list[Line]]:
    """Read a file: its first line, if that is a header, and the others.

    Parameters
    ----------
    path : Path
    dataset : Dataset
        Whose rows the lines name.
    task : str
        ``multilabel``, or ``auto`` with more than two names in the header: each line has as many
        cells. Otherwise two.

    Raises
    ------
    DataError
        With the number of the line.
    """
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
    if task == "multilabel" or (task == "auto" and len(header) > 2):
        _check_properties(header, path)
    else:
        header = header[:2]
    width = max(len(header), 2)
    return header, [_check_line(number, cells, width, find, path) for number, cells in lines]


def _check_properties(header: tuple[str, ...], path: Path) -> None:
    if len(header) < 3:
        raise DataError(
            (
                Argument("task", "multilabel"),
                " needs a first line that names two properties or more, such as row,even,loop",
            ),
            value=path,
        )
    if "" in header[1:] or len(set(header[1:])) < len(header) - 1:
        raise DataError("the first line must give each property another name", value=path)


def _check_line(number: int, cells: list[str], width: int, find: _RowFinder, path: Path) -> Line:
    if len(cells) != width:
        content = "row,label" if width == 2 else f"a row and {width - 1} properties"
        raise line_error(
            path,
            number,
            f"{len(cells)} cells, but a line is {content}",
            "put quotes around a cell that holds the separator",
        )
    row = find(cells[0])
    line = Line(number, -1 if row is None else row, cells[0], tuple(cells[1:]))
    refuse_empty_label(line, ("",), path)
    if row is None:
        raise line_error(path, number, find.explain(cells[0]))
    return line


def refuse_empty_label(line: Line, empty: tuple[str, ...], path: Path) -> None:
    """Refuse a line with a cell that holds no label."""
    if any(cell in empty for cell in line.cells):
        raise line_error(
            path,
            line.number,
            f"the label of {line.name!r} is empty",
            "leave the line out if the row is unlabelled",
        )


class _RowFinder:
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
        return int(name) if _is_row_number(name) and int(name) < self.count else None

    def is_header(self, cells: list[str]) -> bool:
        """Whether the first line is a header, and not a row with a mistake in its name."""
        name = self._clean(cells[0])
        if self(name) is not None or re.fullmatch(r"[+-]?\d+(\.\d*)?", name):
            return False
        like_a_name = "/" in name or "." in name
        return not (self.by_name and (like_a_name or self._near(name)))

    def explain(self, cell: str) -> str:
        """Return why a cell names no row, and which one is near."""
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


def _is_row_number(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,15}", text))
