"""A few labels for many rows: read from a CSV of ``row,label``, or drawn from known ones.

With ``row,property,property,...`` below names, a row has several properties, each 0 or 1.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import UNLABELLED, Dataset
from cuello.data.drawing import draw, draw_any
from cuello.data.label_lines import Line, parse, refuse_empty
from cuello.data.readers.base import listed
from cuello.data.readers.targets import are_amounts
from cuello.data.spelling import folded, is_typo, whole
from cuello.errors import DataError

__all__ = ["draw", "draw_any", "labelled", "read"]

Codes = npt.NDArray[np.int64]

RARE, FREQUENT = 2, 10
"""A label of at most RARE rows that is nearly one FREQUENT times as common is a typing error."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TRUTH = {"true": 1, "false": 0}


def labelled(path: str | Path, dataset: Dataset, task: str = "auto") -> Dataset:
    """Return data with the labels of a CSV, which replace those it has.

    Parameters
    ----------
    path : str or Path
        See :func:`read`; for several properties each line has a cell for each, 0 or 1, and the
        first line names them.
    dataset : Dataset
        Labels of a test part stay, where they say the same.
    task : str
        One of :data:`cuello.data.dataset.TASKS`. ``auto``: several where the first line names two
        properties or more; numbers where the data has no classes and they can be none (see
        :func:`cuello.data.load`); classes otherwise.

    Raises
    ------
    DataError
        With the number of the line, for what :func:`read` refuses, what is no number, and what is
        neither 0 nor 1.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> rows = Dataset(X=np.zeros((3, 2)), name="demo", source="here")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "labels.csv"
    ...     _ = file.write_text("row,even,loop\\n2,1,0\\n0,0,0\\n")
    ...     found = labelled(file, rows)
    >>> found.task, found.properties, found.y[2]
    ('multilabel', ('even', 'loop'), array([1., 0.]))
    """
    path = Path(path)
    header, lines = parse(path, dataset, task)
    same = dataset.task if dataset.y_test is not None else None
    if len(header) > 2:
        y: npt.NDArray[np.float64] = np.full((len(dataset), len(header) - 1), np.nan)
        for line in _unique(lines, path, dataset):
            y[line.row] = [_property(line, k, header, path) for k in range(len(line.cells))]
        keep = same == "multilabel" and dataset.properties == header[1:]
        said = f"{path}: {y.shape[1]} columns of 0 and 1: the task is 'multilabel' (--task)"
        found = replace(dataset, y=y, classes=(), properties=header[1:])
    elif task == "regression" or (task == "auto" and not dataset.classes and _amounts(lines)):
        y = np.full(len(dataset), np.nan)
        for line in _unique(lines, path, dataset):
            y[line.row] = _number(line, path)
        keep = same == "regression"
        said = f"{path}: labels are amounts, no classes: the task is 'regression' (--task)"
        found = replace(dataset, y=y, classes=(), properties=())
    else:
        codes, classes = _classes(lines, path, dataset)
        y_test = dataset.y_test if dataset.task == "multiclass" else None
        return replace(dataset, y=codes, y_test=y_test, classes=classes, properties=())
    notes = (*found.notes, said) if task == "auto" else found.notes
    return replace(found, y_test=found.y_test if keep else None, notes=notes)


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
    return _classes(parse(path, dataset, "classes")[1], path, dataset)


def _classes(lines: list[Line], path: Path, dataset: Dataset) -> tuple[Codes, tuple[str, ...]]:
    for line in lines:
        refuse_empty(line, ("", str(UNLABELLED)), path)
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


def _amounts(lines: list[Line]) -> bool:
    texts = [line.label for line in lines]
    if not all(_NUMBER.fullmatch(text) for text in texts):
        return False
    return are_amounts(np.array([float(text) for text in texts]))


def _number(line: Line, path: Path) -> float:
    value = float(line.label) if _NUMBER.fullmatch(line.label) else float("nan")
    if not np.isfinite(value):
        raise DataError(
            f"{path}, line {line.number}: {line.label!r} is no number, such as 12.5; correct it, "
            "leave the line out, or learn classes with task='multiclass' (--task)."
        )
    return value


def _property(line: Line, column: int, header: tuple[str, ...], path: Path) -> float:
    cell = line.cells[column]
    value = _TRUTH.get(cell.casefold(), whole(cell))
    if value not in (0, 1):
        raise DataError(
            f"{path}, line {line.number}: {header[column + 1]!r} is {cell!r}, but a property is 0 "
            "or 1; one class of many goes into a file of row,label."
        )
    return float(value)


def _unique(lines: list[Line], path: Path, dataset: Dataset) -> list[Line]:
    first: dict[int, Line] = {}
    for line in lines:
        earlier = first.setdefault(line.row, line)
        if earlier.label != line.label:
            name = dataset.row_names[line.row] if dataset.row_names else str(line.row)
            raise DataError(
                f"{path}, line {line.number}: row {name!r} is {line.label!r} here and "
                f"{earlier.label!r} in line {earlier.number}; keep one of them."
            )
    return list(first.values())


def _known_class(line: Line, classes: tuple[str, ...], path: Path) -> int:
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


def _refuse_variants(lines: list[Line], path: Path) -> None:
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
