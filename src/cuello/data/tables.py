"""Tables become samples: which columns are labels or identifiers, and how others are encoded."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cuello.arrays import Array, Bools
from cuello.data.columns import Column, convert_column, describe_column, encode_column, number_like
from cuello.data.dataset import Dataset, check_finite
from cuello.data.label_arrays import as_properties, is_integral, note_task, with_label_arrays
from cuello.data.readers.base import SKIP_BAD, join_names, stem
from cuello.errors import Argument, DataError, InputError, Use

__all__ = ["table_dataset"]

LABEL_NAMES = ("label", "class", "target", "y")
MOSTLY_NUMBERS = 0.9
"""Share of numbers from which text in a column is a broken cell and not a category."""

_IDENTIFIER = re.compile(
    r"(|id|idx|index|key|row|uuid|guid|unnamed: ?\d+|.*[ _-]id)", re.IGNORECASE
)

Specs = Sequence[Mapping[str, Any]]
"""Descriptions of columns in an encoding."""


def table_dataset(
    table: Any,
    path: Path,
    *,
    notes: list[str],
    label_column: str | None,
    task: str | None,
    skip_bad: bool,
    encoding: Mapping[str, Any],
) -> Dataset:
    """Make a dataset of an Arrow table: see :func:`cuello.data.load` for the options."""
    names = list(table.column_names)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"has several columns named {repeated[0]!r}", value=path, remedy="rename them"
        )
    if not len(table):
        raise DataError(
            f"holds no rows, only the columns {join_names(names)}", value=path, remedy="add rows"
        )
    wanted = () if task is None else _wanted_labels(label_column, encoding, names)
    specs: Specs | None = encoding.get("columns")
    columns = _convert_all(table, specs, wanted, path)
    kinds = {spec["name"]: spec["kind"] for spec in specs or ()}
    if task == "regression":
        kinds |= dict.fromkeys(wanted, "number")
    bad = _broken_rows(columns, kinds, wanted, None if skip_bad else path)
    if bad.any():
        notes.append(f"{bad.sum()} broken rows were skipped: {join_names(np.flatnonzero(bad))}")
        if bad.all():
            raise DataError(f"not one of {len(table)} rows can be read", value=path)
        columns = _convert_all(table.take(np.flatnonzero(~bad)), specs, wanted, path)
    if label_column and task is not None:
        _check_label_columns(wanted, label_column, names, task, path)
    elif label_column is None and task is not None and not encoding:
        wanted = _label_by_name(columns, task, path)
        notes += [f"column {name!r} was taken as the label" for name in wanted]
    labels = wanted if all(name in columns for name in wanted) else ()
    features = {name: column for name, column in columns.items() if name not in labels}
    row_names: tuple[str, ...] | None = None
    if specs is None:
        features, row_names = _without_identifiers(features, notes)
        specs = [describe_column(column, path) for column in features.values()]
    else:
        labels_in_training = str(encoding.get("label_column")).split(",")
        used = {*labels_in_training, *(spec["name"] for spec in specs)}
        other = [name for name in features if name not in used]
        if other:
            notes.append(f"ignored columns that the model does not use: {join_names(other)}")
    if not specs:
        raise DataError(f"has no column left to learn from; it has {join_names(names)}", value=path)
    data = Dataset(
        X=_encode_all(features, specs, path, notes),
        name=stem(path),
        source=str(path),
        row_names=row_names,
        encoding={
            "type": "table",
            "columns": [dict(spec) for spec in specs],
            "label_column": ",".join(labels) or None,
        },
        notes=tuple(notes),
    )
    return _with_label_columns(data, [columns[name] for name in labels], path, task)


def _wanted_labels(
    label_column: str | None, encoding: Mapping[str, Any], names: Collection[str]
) -> tuple[str, ...]:
    """Return the label columns that were asked for, now or in training."""
    asked = encoding.get("label_column") if label_column is None else label_column
    if not asked or asked in names:
        return (asked,) if asked else ()
    return tuple(name.strip() for name in asked.split(","))


def _convert_all(
    table: Any, specs: Specs | None, labels: tuple[str, ...], path: Path
) -> dict[str, Column]:
    names = table.column_names
    if specs is None:
        return {name: convert_column(name, table[name], path) for name in names}
    missing = [spec["name"] for spec in specs if spec["name"] not in names]
    if missing:
        raise DataError(
            f"has no column {missing[0]!r}, which the model was trained on ({len(missing)} of "
            f"{len(specs)} are missing); it has {join_names(names)}",
            value=path,
        )
    kinds = {spec["name"]: spec["kind"] for spec in specs}
    used = [name for name in names if name in kinds or name in labels]
    columns = {n: convert_column(n, table[n], path, wanted=kinds.get(n)) for n in used}
    # Other columns need no conversion, only a mention.
    return columns | {n: Column(n, "number", np.empty(0)) for n in names if n not in columns}


def _broken_rows(
    columns: dict[str, Column], kinds: dict[str, str], labels: tuple[str, ...], path: Path | None
) -> Bools:
    """Return the mask of rows with text in columns of numbers or dates; refuse it with a path."""
    bad = np.zeros(max(len(column.values) for column in columns.values()), dtype=bool)
    for name, column in columns.items():
        kind = kinds.get(name)
        if column.kind != "category" or kind == "category" or (kind is None and name in labels):
            continue
        filled = ~column.empty
        numeric = number_like(column) & (kind != "date")
        if kind is None and numeric.sum() < MOSTLY_NUMBERS * filled.sum():
            continue
        broken = filled & ~numeric
        if broken.any() and path is not None:
            row = int(np.flatnonzero(broken)[0])
            raise DataError(
                f"column {name!r} holds {kind or 'number'}s, but row {row} (from 0) holds "
                f"{column.values[row].as_py()!r} ({broken.sum()} such cells)",
                value=path,
                remedy=SKIP_BAD,
            )
        bad |= broken
    return bad


def _check_label_columns(
    wanted: tuple[str, ...], asked: str, names: Sequence[str], task: str, path: Path
) -> None:
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise InputError(
                f"is no column of {path}",
                argument="label_column",
                value=name,
                allowed=join_names(names),
                remedy=f"did you mean {near[0]!r}?" if near else "",
            )
    if len(set(wanted)) < len(wanted):
        raise InputError(
            "names a column twice",
            argument="label_column",
            value=asked,
            remedy="name each column once",
        )
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


def _label_by_name(columns: Mapping[str, Column], task: str, path: Path) -> tuple[str, ...]:
    """Return the one column whose name and values suit a label; none for several properties."""

    def can_label(column: Column) -> bool:
        whole = column.kind == "number" and (task == "regression" or is_integral(column.values))
        return task != "multilabel" and (column.kind == "category" or whole)

    candidates = [
        name
        for label in LABEL_NAMES
        for name, column in columns.items()
        if name.lower() == label and can_label(column)
    ]
    if len(candidates) > 1:
        raise InputError(
            f"the columns {join_names(map(repr, candidates))} could all be the label",
            value=path,
            remedy=(Use("label_column", candidates[0]), ", for example, or '' for no label"),
        )
    return tuple(candidates)


def _without_identifiers(
    columns: dict[str, Column], notes: list[str]
) -> tuple[dict[str, Column], tuple[str, ...] | None]:
    """Leave out columns that only identify the rows; text among them becomes the row names."""
    identifiers = [
        column
        for name, column in columns.items()
        if _IDENTIFIER.fullmatch(name)
        and column.discrete
        and not column.empty.any()
        and len(set(column.values.tolist())) == len(column.values)
    ]
    if not identifiers:
        return columns, None
    names = [column.name for column in identifiers]
    notes.append(f"left out, as they only number the rows: {join_names(map(repr, names))}")
    text = [column for column in identifiers if column.kind == "category"]
    row_names = tuple(text[0].values.to_pylist()) if text else None
    return {name: c for name, c in columns.items() if name not in names}, row_names


def _encode_all(columns: dict[str, Column], specs: Specs, path: Path, notes: list[str]) -> Array:
    blocks = []
    for spec in specs:
        block, unseen = encode_column(columns[spec["name"]], spec)
        blocks.append(block)
        if unseen:
            notes.append(f"{unseen} cells of {spec['name']!r} hold a category not seen in training")
    empty = {s["name"]: int(columns[s["name"]].empty.sum()) for s in specs}
    with_gaps = [repr(name) for name, count in empty.items() if count]
    if with_gaps:
        notes.append(f"{sum(empty.values())} cells are empty, in {join_names(with_gaps)}")
    dates = [repr(spec["name"]) for spec in specs if spec["kind"] == "date"]
    if dates:
        notes.append(f"dates became days since 1970-01-01: {join_names(dates)}")
    X = np.concatenate(blocks, axis=1)
    check_finite(X, str(path), allow_nan=True)
    return X


def _with_label_columns(
    data: Dataset, columns: list[Column], path: Path, task: str | None
) -> Dataset:
    if len(columns) < 2:
        y = _to_numpy(columns[0]) if columns else None
        source = "".join(f"{path}: column {column.name!r}" for column in columns)
        return with_label_arrays(data, y, source=source, task=task)
    for column in columns:
        if column.kind != "number" and not column.empty.all():
            row = int(np.flatnonzero(~column.empty)[0])
            raise DataError(
                f"column {column.name!r} holds {str(_to_numpy(column)[row])!r} in row {row} (from "
                "0); a property is 0 or 1",
                value=path,
            )
    names = tuple(column.name for column in columns)
    empty = np.full(len(data), np.nan)
    values = np.stack([c.values if c.kind == "number" else empty for c in columns], axis=1)
    y = as_properties(values, len(data), str(path), names)
    note = note_task(path, "multilabel", f"{len(names)} columns of 0 and 1 were taken as labels")
    notes = (*data.notes, note) if task == "auto" else data.notes
    return replace(data, y=y, properties=names, notes=notes)


def _to_numpy(column: Column) -> Array:
    if column.kind != "category":
        return np.asarray(column.values)
    return np.array(column.values.fill_null("").to_pylist(), dtype=np.str_)
