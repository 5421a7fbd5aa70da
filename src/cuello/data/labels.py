"""A few labels for many samples, from a CSV of ``row,label``.

With ``row,property,property,...`` below names, a sample has several properties, each 0 or 1.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from cuello.arrays import Codes, Floats
from cuello.data.dataset import UNLABELLED, Dataset
from cuello.data.label_lines import Line, line_error, read_lines, refuse_empty_label
from cuello.data.readers.base import join_names
from cuello.data.readers.targets import are_amounts, note_task
from cuello.data.spelling import fold_label, is_typo, whole_number
from cuello.errors import DataError, Use

__all__ = ["read_label_file", "with_labels"]

_RARE, _FREQUENT = 2, 10
"""A label of at most _RARE rows that is nearly one _FREQUENT times as common is a typing error."""

_LABEL_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TRUTH = {"true": 1, "false": 0}


def with_labels(path: str | Path, dataset: Dataset, task: str = "auto") -> Dataset:
    """Return data with the labels of a CSV, which replace those it has.

    Parameters
    ----------
    path : str or Path
        See :func:`read_label_file`; for multilabel each line has a cell for each property, 0 or 1,
        and the first line names them.
    dataset : Dataset
        Labels of a test split stay, where they are for the same task.
    task : str
        One of :data:`cuello.data.dataset.TASK_NAMES`. ``auto``: multilabel where the first line
        names two properties or more; regression where the data has no classes and the labels can
        be none (see :func:`cuello.data.load`); multiclass otherwise.

    Raises
    ------
    DataError
        With the number of the line, for what :func:`read_label_file` refuses, what is no number,
        and what is neither 0 nor 1.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> rows = Dataset(X=np.zeros((3, 2)), name="demo", source="memory")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "labels.csv"
    ...     _ = file.write_text("row,even,loop\\n2,1,0\\n0,0,0\\n")
    ...     labelled = with_labels(file, rows)
    >>> labelled.task, labelled.properties, labelled.y[2]
    ('multilabel', ('even', 'loop'), array([1., 0.]))
    """
    path = Path(path)
    header, lines = read_lines(path, dataset, task)
    test_task = dataset.task if dataset.y_test is not None else None
    properties: tuple[str, ...] = header[1:] if len(header) > 2 else ()
    if properties:
        y: Floats = np.full((len(dataset), len(properties)), np.nan)
        for line in _one_each(lines, path, dataset):
            y[line.row] = [
                _property(line, cell, name, path)
                for cell, name in zip(line.cells, properties, strict=True)
            ]
        keep = test_task == "multilabel" and dataset.properties == properties
        note = note_task(path, "multilabel", f"{len(properties)} columns of 0 and 1")
    elif task == "regression" or (task == "auto" and not dataset.classes and _amounts(lines)):
        y = np.full(len(dataset), np.nan)
        for line in _one_each(lines, path, dataset):
            y[line.row] = _finite_number(line, path)
        keep = test_task == "regression"
        note = note_task(path, "regression", "labels are amounts, no classes")
    else:
        codes, classes = _to_codes(lines, path, dataset)
        y_test = dataset.y_test if dataset.task == "multiclass" else None
        return replace(dataset, y=codes, y_test=y_test, classes=classes, properties=())
    return replace(
        dataset,
        y=y,
        y_test=dataset.y_test if keep else None,
        classes=(),
        properties=properties,
        notes=(*dataset.notes, note) if task == "auto" else dataset.notes,
    )


def read_label_file(path: str | Path, dataset: Dataset) -> tuple[Codes, tuple[str, ...]]:
    """Read classes from a CSV with two columns: which row, and its label.

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
    """
    path = Path(path)
    return _to_codes(read_lines(path, dataset, "multiclass")[1], path, dataset)


def _to_codes(lines: list[Line], path: Path, dataset: Dataset) -> tuple[Codes, tuple[str, ...]]:
    for line in lines:
        refuse_empty_label(line, ("", str(UNLABELLED)), path)
    labels = _one_each(lines, path, dataset)
    if dataset.classes:
        classes = dataset.classes
        code = {line.label: _class_code(line, classes, path) for line in labels}
    else:
        _refuse_variants(labels, path)
        classes = _sorted_classes({line.label for line in labels})
        code = {name: i for i, name in enumerate(classes)}
    codes = np.full(len(dataset), UNLABELLED, dtype=np.int64)
    for line in labels:
        codes[line.row] = code[line.label]
    return codes, classes


def _amounts(lines: list[Line]) -> bool:
    texts = [line.label for line in lines]
    if not all(_LABEL_NUMBER.fullmatch(text) for text in texts):
        return False
    return are_amounts(np.array([float(text) for text in texts]))


def _finite_number(line: Line, path: Path) -> float:
    value = float(line.label) if _LABEL_NUMBER.fullmatch(line.label) else float("nan")
    if not np.isfinite(value):
        raise DataError(
            f"{line.label!r} is no number, such as 12.5",
            value=f"{path}, line {line.number}",
            remedy=(
                "correct it, leave the line out, or learn classes: ",
                Use("task", "multiclass"),
            ),
        )
    return value


def _property(line: Line, cell: str, name: str, path: Path) -> float:
    value = _TRUTH.get(cell.casefold(), whole_number(cell))
    if value not in (0, 1):
        raise line_error(
            path,
            line.number,
            f"{name!r} is {cell!r}, but a property is 0 or 1",
            "one class of many goes into a file of row,label",
        )
    return float(value)


def _one_each(lines: list[Line], path: Path, dataset: Dataset) -> list[Line]:
    """Return the first line of each row; refuse another label for the same row."""
    first: dict[int, Line] = {}
    for line in lines:
        earlier = first.setdefault(line.row, line)
        if earlier.label != line.label:
            name = dataset.row_names[line.row] if dataset.row_names else str(line.row)
            raise line_error(
                path,
                line.number,
                f"row {name!r} is {line.label!r} here and {earlier.label!r} in line "
                f"{earlier.number}",
                "keep one of them",
            )
    return list(first.values())


def _class_code(line: Line, classes: tuple[str, ...], path: Path) -> int:
    if line.label in classes:
        return classes.index(line.label)
    value = whole_number(line.label)
    if value is not None:
        equal = [i for i, name in enumerate(classes) if whole_number(name) == value]
        if equal:
            return equal[0]
    spelled = {fold_label(name): name for name in classes}
    near = difflib.get_close_matches(fold_label(line.label), spelled, n=1)
    raise DataError(
        f"{line.label!r} is no class of the data",
        value=f"{path}, line {line.number}",
        allowed=join_names(map(repr, classes)),
        remedy=f"did you mean {spelled[near[0]]!r}?" if near else "",
    )


def _refuse_variants(lines: list[Line], path: Path) -> None:
    """Refuse two spellings of what must be one class, where the labels alone define the classes."""
    counts = Counter(line.label for line in lines)
    first = {line.label: line.number for line in reversed(lines)}
    spelling: dict[str, str] = {}
    for label, _ in counts.most_common():
        common = spelling.setdefault(fold_label(label), label)
        if common != label:
            raise line_error(
                path,
                first[label],
                f"{label!r} differs from {common!r} (line {first[common]}) only in case or spaces",
                "write both alike",
            )
    for rare, common in itertools.product(counts, counts):
        few = counts[rare] <= _RARE and counts[common] >= _FREQUENT * counts[rare]
        if few and is_typo(rare.casefold(), common.casefold()):
            raise line_error(
                path,
                first[rare],
                f"{rare!r} looks like a typing error of {common!r} ({counts[rare]} against "
                f"{counts[common]} rows)",
                "correct it, or if it is another class give it a name that differs more",
            )


def _sorted_classes(labels: set[str]) -> tuple[str, ...]:
    numeric = all(whole_number(label) is not None for label in labels)
    key = (
        (lambda label: (whole_number(label) or 0, label)) if numeric else (lambda label: (0, label))
    )
    return tuple(sorted(labels, key=key))
