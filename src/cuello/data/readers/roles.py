"""What the columns of a table are for: which one is the label, which only name the rows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from cuello.data.readers.base import Options, listed
from cuello.data.readers.columns import Column
from cuello.data.readers.label_values import is_integral
from cuello.errors import InputError

__all__ = ["find_labels", "wanted_labels", "without_identifiers"]

LABEL_NAMES = ("label", "class", "target", "y")

_IDENTIFIER = re.compile(
    r"(|id|idx|index|key|row|uuid|guid|unnamed: ?\d+|.*[ _-]id)", re.IGNORECASE
)


def wanted_labels(options: Options, names: Collection[str]) -> tuple[str, ...]:
    """Name the columns of labels that were asked for, now or in training."""
    if options.task is None:
        return ()
    asked = options.label_column
    if asked is None:
        asked = options.encoding.get("label_column")
    if not asked or asked in names:
        return (asked,) if asked else ()
    return tuple(name.strip() for name in asked.split(","))


def find_labels(
    columns: Mapping[str, Column], path: Path, options: Options, notes: list[str]
) -> tuple[str, ...]:
    """Name the columns of labels: those asked for, those of the encoding, or one by its name."""
    asked = options.label_column
    wanted = wanted_labels(options, columns)
    if asked:
        for name in wanted:
            _check_asked(name, columns, path)
        _check_number_of(wanted, asked, options.task)
        return wanted
    if asked == "" or options.task is None:
        return ()
    if options.encoding:
        return wanted if all(name in columns for name in wanted) else ()
    found = [
        name
        for usual in LABEL_NAMES
        for name, column in columns.items()
        if name.lower() == usual and _can_label(column, options.task)
    ]
    if len(found) > 1:
        raise InputError(
            f"{path}: the columns {listed(map(repr, found))} could all be the label; pass "
            "label_column=NAME (--label-column), or '' if none of them is."
        )
    notes += [f"column {name!r} was taken as the label" for name in found]
    return tuple(found)


def _check_asked(name: str, columns: Mapping[str, Column], path: Path) -> None:
    if name not in columns:
        near = difflib.get_close_matches(name, columns, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise InputError(
            f"label_column={name!r} is no column of {path}{hint} It has {listed(columns)}."
        )


def _check_number_of(wanted: tuple[str, ...], asked: str, task: str | None) -> None:
    if len(set(wanted)) < len(wanted):
        raise InputError(f"label_column={asked!r} names a column twice; name each once.")
    if len(wanted) > 1 and task not in ("auto", "multilabel"):
        raise InputError(
            f"label_column={asked!r} names {len(wanted)} columns, and task={task!r} learns one; "
            "name one, or use task='multilabel' for columns of 0 and 1."
        )
    if len(wanted) == 1 and task == "multilabel":
        raise InputError(
            f"task='multilabel' needs two columns of 0 and 1 or more, and label_column={asked!r} "
            "is one; name them with commas between them, or use task='auto'."
        )


def _can_label(column: Column, task: str | None) -> bool:
    if task == "multilabel":
        return False
    whole = column.kind == "number" and (task == "regression" or is_integral(column.values))
    return column.kind == "category" or whole


def without_identifiers(
    columns: dict[str, Column], notes: list[str]
) -> tuple[dict[str, Column], tuple[str, ...] | None]:
    """Leave out columns that only name the rows; text among them becomes the row names."""
    identifiers = [
        column
        for name, column in columns.items()
        if _IDENTIFIER.fullmatch(name) and column.whole and _all_different(column)
    ]
    if not identifiers:
        return columns, None
    left_out = [column.name for column in identifiers]
    notes.append(f"left out, as they only number the rows: {listed(map(repr, left_out))}")
    text = [column for column in identifiers if column.kind == "category"]
    row_names = tuple(text[0].values.to_pylist()) if text else None
    return {name: c for name, c in columns.items() if name not in left_out}, row_names


def _all_different(column: Column) -> bool:
    values = column.values.to_pylist() if column.kind == "category" else column.values.tolist()
    return not column.empty.any() and len(set(values)) == len(values)
