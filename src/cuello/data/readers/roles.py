"""Roles of a table's columns: which ones are labels, and which only identify the rows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cuello.data.readers.base import join_names
from cuello.data.readers.columns import Column
from cuello.data.readers.label_values import is_integral
from cuello.errors import Argument, InputError, Use

__all__ = ["TableOptions", "find_labels", "wanted_labels", "without_identifiers"]

LABEL_NAMES = ("label", "class", "target", "y")

_IDENTIFIER = re.compile(
    r"(|id|idx|index|key|row|uuid|guid|unnamed: ?\d+|.*[ _-]id)", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How one table is read; see :func:`cuello.data.load`."""

    path: Path
    label_column: str | None
    task: str | None
    skip_bad: bool
    encoding: Mapping[str, Any]


def wanted_labels(options: TableOptions, names: Collection[str]) -> tuple[str, ...]:
    """Return the label columns that were asked for, now or in training."""
    if options.task is None:
        return ()
    asked = options.label_column
    if asked is None:
        asked = options.encoding.get("label_column")
    if not asked or asked in names:
        return (asked,) if asked else ()
    return tuple(name.strip() for name in asked.split(","))


def find_labels(
    columns: Mapping[str, Column], options: TableOptions, notes: list[str]
) -> tuple[str, ...]:
    """Return the label columns: those asked for, those of the encoding, or one by its name."""
    asked = options.label_column
    wanted = wanted_labels(options, columns)
    if asked:
        _check_asked(wanted, asked, columns, options)
        return wanted
    if asked == "" or options.task is None:
        return ()
    if options.encoding:
        return wanted if all(name in columns for name in wanted) else ()
    candidates = [
        name
        for usual in LABEL_NAMES
        for name, column in columns.items()
        if name.lower() == usual and _can_label(column, options.task)
    ]
    if len(candidates) > 1:
        raise InputError(
            f"the columns {join_names(map(repr, candidates))} could all be the label",
            value=options.path,
            remedy=(Use("label_column", candidates[0]), ", for example, or '' for no label"),
        )
    notes += [f"column {name!r} was taken as the label" for name in candidates]
    return tuple(candidates)


def _check_asked(
    wanted: tuple[str, ...], asked: str, columns: Mapping[str, Column], options: TableOptions
) -> None:
    for name in wanted:
        if name not in columns:
            near = difflib.get_close_matches(name, columns, n=1)
            raise InputError(
                f"is no column of {options.path}",
                argument="label_column",
                value=name,
                allowed=join_names(columns),
                remedy=f"did you mean {near[0]!r}?" if near else "",
            )
    if len(set(wanted)) < len(wanted):
        raise InputError(
            "names a column twice",
            argument="label_column",
            value=asked,
            remedy="name each column once",
        )
    task = options.task
    if len(wanted) > 1 and task not in ("auto", "multilabel"):
        raise InputError(
            (f"names {len(wanted)} columns, and ", Argument("task", task), " learns one"),
            argument="label_column",
            value=asked,
            remedy=("name one, or ", Use("task", "multilabel"), " for columns of 0 and 1"),
        )
    if len(wanted) == 1 and task == "multilabel":
        raise InputError(
            (
                "needs two columns of 0 and 1 or more, and ",
                Argument("label_column", asked),
                " is one",
            ),
            argument="task",
            value=task,
            remedy=("name them with commas between them, or ", Use("task", "auto")),
        )


def _can_label(column: Column, task: str | None) -> bool:
    if task == "multilabel":
        return False
    numeric = column.kind == "number" and (task == "regression" or is_integral(column.values))
    return column.kind == "category" or numeric


def without_identifiers(
    columns: dict[str, Column], notes: list[str]
) -> tuple[dict[str, Column], tuple[str, ...] | None]:
    """Leave out columns that only identify the rows; text among them becomes the row names."""
    identifiers = [
        column
        for name, column in columns.items()
        if _IDENTIFIER.fullmatch(name) and column.discrete and _all_different(column)
    ]
    if not identifiers:
        return columns, None
    names = [column.name for column in identifiers]
    notes.append(f"left out, as they only number the rows: {join_names(map(repr, names))}")
    text = [column for column in identifiers if column.kind == "category"]
    row_names = tuple(text[0].values.to_pylist()) if text else None
    return {name: c for name, c in columns.items() if name not in names}, row_names


def _all_different(column: Column) -> bool:
    values = column.values.to_pylist() if column.kind == "category" else column.values.tolist()
    return not column.empty.any() and len(set(values)) == len(values)
