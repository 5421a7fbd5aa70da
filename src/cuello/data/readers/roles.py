"""What the columns of a table are for: which one is the label, which only name the rows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from cuello.data.readers.base import Options, listed
from cuello.data.readers.columns import Column
from cuello.data.readers.targets import is_integral
from cuello.errors import InputError

__all__ = ["find_label", "wanted_label", "without_identifiers"]

LABEL_NAMES = ("label", "class", "target", "y")

_IDENTIFIER = re.compile(
    r"(|id|idx|index|key|row|uuid|guid|unnamed: ?\d+|.*[ _-]id)", re.IGNORECASE
)


def wanted_label(options: Options) -> str | None:
    """Name the label that was asked for, now or in training."""
    return (
        options.label_column
        if options.label_column is not None
        else options.encoding.get("label_column")
    )


def find_label(
    columns: Mapping[str, Column], path: Path, options: Options, notes: list[str]
) -> str | None:
    """Name the column of labels: the one asked for, the one of the encoding, or by its name."""
    asked = options.label_column
    if asked:
        if asked not in columns:
            near = difflib.get_close_matches(asked, columns, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise InputError(
                f"label_column={asked!r} is no column of {path}{hint} It has {listed(columns)}."
            )
        return asked
    if asked == "":
        return None
    if options.encoding:
        known = options.encoding.get("label_column")
        return known if known in columns else None
    found = [
        name
        for wanted in LABEL_NAMES
        for name, column in columns.items()
        if name.lower() == wanted and _can_label(column)
    ]
    if len(found) > 1:
        raise InputError(
            f"{path}: the columns {listed(map(repr, found))} could all be the label; pass "
            "label_column=NAME (--label-column), or '' if none of them is."
        )
    notes += [f"column {name!r} was taken as the label" for name in found]
    return found[0] if found else None


def _can_label(column: Column) -> bool:
    return column.kind == "category" or (column.kind == "number" and is_integral(column.values))


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
