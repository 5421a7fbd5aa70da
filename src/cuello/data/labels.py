"""A few labels for many samples, from a CSV of ``row,label`` or ``row,property,property,...``."""

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
from cuello.data.label_arrays import are_amounts, note_task
from cuello.data.label_lines import Line, read_lines, refuse_empty_label
from cuello.data.readers.base import join_names
from cuello.data.spelling import fold_label, is_typo, whole_number
from cuello.errors import DataError, Use

__all__ = ["with_labels"]

_RARE, _FREQUENT = 2, 10
"""A label of at most _RARE rows that is nearly one _FREQUENT times as common is a typing error."""

_LABEL_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TRUTH = {"true": 1, "false": 0}


def with_labels(path: str | Path, dataset: Dataset, task: str = "auto") -> Dataset:
    """Return data with the labels of a CSV, which replace those it has.

    A line names a sample by its number in ``dataset.X`` (from 0), by its row name (for images the
    path in the folder, with ``/`` or ``\\``), or by the last part of that if only one has it. A
    first line that names none is a header. If the dataset has classes, labels have to be among
    them; otherwise the labels are the classes. Errors have the number of the line.

    For ``multilabel`` each line has a cell for each property, 0 or 1, and the first line names
    them. ``auto``: multilabel where the first line names two properties or more; regression where
    the data has no classes and the labels can be none (see :func:`cuello.data.load`); multiclass
    otherwise. Labels of a test split stay, where they are for the same task.
    """
    path = Path(path)
    header, lines = read_lines(path, dataset, task)
    properties: tuple[str, ...] = header[1:] if len(header) > 2 else ()
    labels = [line.label for line in lines]
    amounts = all(map(_LABEL_NUMBER.fullmatch, labels)) and are_amounts(np.array(labels, float))
    if properties:
        y: Floats = np.full((len(dataset), len(properties)), np.nan)
        for line in _one_each(lines, dataset):
            y[line.row] = [
                _property(line, cell, name)
                for cell, name in zip(line.cells, properties, strict=True)
            ]
        keep = dataset.task == "multilabel" and dataset.properties == properties
        note = note_task(path, "multilabel", f"{len(properties)} columns of 0 and 1")
    elif task == "regression" or (task == "auto" and not dataset.classes and amounts):
        y = np.full(len(dataset), np.nan)
        for line in _one_each(lines, dataset):
            y[line.row] = _finite_number(line)
        keep = dataset.task == "regression"
        note = note_task(path, "regression", "labels are amounts, no classes")
    else:
        codes, classes = _to_codes(lines, dataset)
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


def _to_codes(lines: list[Line], dataset: Dataset) -> tuple[Codes, tuple[str, ...]]:
    for line in lines:
        refuse_empty_label(line, str(UNLABELLED))
    labels = _one_each(lines, dataset)
    if dataset.classes:
        classes = dataset.classes
        code = {line.label: _class_code(line, classes) for line in labels}
    else:
        _refuse_variants(labels)
        names = {line.label for line in labels}
        numeric = all(whole_number(name) is not None for name in names)
        classes = tuple(sorted(names, key=lambda n: (whole_number(n) or 0 if numeric else 0, n)))
        code = {name: i for i, name in enumerate(classes)}
    codes = np.full(len(dataset), UNLABELLED, dtype=np.int64)
    for line in labels:
        codes[line.row] = code[line.label]
    return codes, classes


def _finite_number(line: Line) -> float:
    value = float(line.label) if _LABEL_NUMBER.fullmatch(line.label) else float("nan")
    if not np.isfinite(value):
        raise DataError(
            f"{line.label!r} is no number, such as 12.5",
            value=line.where,
            remedy=(
                "correct it, leave the line out, or learn classes: ",
                Use("task", "multiclass"),
            ),
        )
    return value


def _property(line: Line, cell: str, name: str) -> float:
    value = _TRUTH.get(cell.casefold(), whole_number(cell))
    if value not in (0, 1):
        raise DataError(
            f"{name!r} is {cell!r}, but a property is 0 or 1",
            value=line.where,
            remedy="one class of many goes into a file of row,label",
        )
    return float(value)


def _one_each(lines: list[Line], dataset: Dataset) -> list[Line]:
    """Return the first line of each sample; refuse another label for the same one."""
    first: dict[int, Line] = {}
    for line in lines:
        earlier = first.setdefault(line.row, line)
        if earlier.label != line.label:
            name = dataset.row_names[line.row] if dataset.row_names else str(line.row)
            raise DataError(
                f"row {name!r} is {line.label!r} here and {earlier.label!r} in line "
                f"{earlier.number}",
                value=line.where,
                remedy="keep one of them",
            )
    return list(first.values())


def _class_code(line: Line, classes: tuple[str, ...]) -> int:
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
        value=line.where,
        allowed=join_names(map(repr, classes)),
        remedy=f"did you mean {spelled[near[0]]!r}?" if near else "",
    )


def _refuse_variants(lines: list[Line]) -> None:
    """Refuse two spellings of what must be one class, where the labels alone define the classes."""
    counts = Counter(line.label for line in lines)
    first = {line.label: line for line in reversed(lines)}
    spelling: dict[str, str] = {}
    for label, _ in counts.most_common():
        common = spelling.setdefault(fold_label(label), label)
        if common != label:
            raise DataError(
                f"{label!r} differs from {common!r} (line {first[common].number}) only in case or "
                "spaces",
                value=first[label].where,
                remedy="write both alike",
            )
    for rare, common in itertools.product(counts, counts):
        few = counts[rare] <= _RARE and counts[common] >= _FREQUENT * counts[rare]
        if few and is_typo(rare.casefold(), common.casefold()):
            raise DataError(
                f"{rare!r} looks like a typing error of {common!r} ({counts[rare]} against "
                f"{counts[common]} samples)",
                value=first[rare].where,
                remedy="correct it, or if it is another class give it a name that differs more",
            )
