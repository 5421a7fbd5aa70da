"""Tables (CSV, Parquet): find the labels, convert the columns, record how it was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from cuello.arrays import Array, Bools, Float32s
from cuello.data.dataset import Dataset, check_finite
from cuello.data.readers.base import (
    READERS,
    SKIP_BAD,
    Reader,
    join_names,
    read_content,
    reading,
    refuse_empty_file,
    stem,
)
from cuello.data.readers.columns import (
    Column,
    column_width,
    convert_column,
    describe_column,
    encode_column,
    number_like,
)
from cuello.data.readers.label_values import as_properties
from cuello.data.readers.roles import (
    TableOptions,
    find_labels,
    wanted_labels,
    without_identifiers,
)
from cuello.data.readers.separated import parse_csv
from cuello.data.readers.targets import LabelArrays, note_task, read_labels
from cuello.errors import DataError

__all__ = ["read_csv", "read_parquet"]

MOSTLY_NUMBERS = 0.9
"""Share of numbers from which text in a column is a broken cell and not a category."""

Specs = Sequence[dict[str, Any]]
"""Descriptions of columns in an encoding."""


def read_csv(
    path: Path,
    *,
    label_column: str | None = None,
    task: str | None = "auto",
    skip_bad: bool = False,
    encoding: Mapping[str, Any] = MappingProxyType({}),
) -> Dataset:
    """Read a table of text, the separator of which is found out."""
    raw = read_content(path)
    with reading(path):
        table, notes = parse_csv(raw, path, skip_bad=skip_bad)
        options = TableOptions(
            path=path, label_column=label_column, task=task, skip_bad=skip_bad, encoding=encoding
        )
        return _to_dataset(table, options, notes)


def read_parquet(
    path: Path,
    *,
    label_column: str | None = None,
    task: str | None = "auto",
    skip_bad: bool = False,
    encoding: Mapping[str, Any] = MappingProxyType({}),
) -> Dataset:
    """Read a table in Parquet's format; its checksums are compared."""
    import pyarrow.parquet as pq

    with reading(path):
        refuse_empty_file(path)
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        options = TableOptions(
            path=path, label_column=label_column, task=task, skip_bad=skip_bad, encoding=encoding
        )
        return _to_dataset(table, options, [])


def _to_dataset(table: Any, options: TableOptions, notes: list[str]) -> Dataset:
    path, names = options.path, list(table.column_names)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"has several columns named {repeated[0]!r}", value=path, remedy="rename them"
        )
    if not len(table):
        raise DataError(
            f"holds no rows, only the columns {join_names(names)}", value=path, remedy="add rows"
        )
    specs = options.encoding.get("columns")
    columns = _convert_all(table, options, specs)
    bad = _broken_rows(columns, specs, options)
    if bad.any():
        notes.append(f"{bad.sum()} broken rows were skipped: {join_names(np.flatnonzero(bad))}")
        if bad.all():
            raise DataError(f"not one of {len(table)} rows can be read", value=path)
        columns = _convert_all(table.take(np.flatnonzero(~bad)), options, specs)
    labels = find_labels(columns, options, notes)
    row_names: tuple[str, ...] | None = None
    features = {name: column for name, column in columns.items() if name not in labels}
    if specs is None:
        features, row_names = without_identifiers(features, notes)
        specs = [describe_column(column, path) for column in features.values()]
    else:
        labels_in_training = str(options.encoding.get("label_column")).split(",")
        used = {*labels_in_training, *(spec["name"] for spec in specs)}
        other = [name for name in features if name not in used]
        if other:
            notes.append(f"ignored columns that the model does not use: {join_names(other)}")
    if not specs:
        raise DataError(f"has no column left to learn from; it has {join_names(names)}", value=path)
    X = _encode_all(features, specs, path, notes)
    found = _read_label_columns([columns[name] for name in labels], len(X), path, options.task)
    return Dataset(
        X=X,
        y=found.y,
        classes=found.classes,
        properties=found.properties,
        name=stem(path),
        source=str(path),
        row_names=row_names,
        encoding={
            "type": "table",
            "columns": [dict(spec) for spec in specs],
            "label_column": ",".join(labels) or None,
        },
        notes=(*notes, *found.notes),
    )


def _convert_all(table: Any, options: TableOptions, specs: Specs | None) -> dict[str, Column]:
    names, path = table.column_names, options.path
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
    labels = wanted_labels(options, names)
    used = [name for name in names if name in kinds or name in labels]
    columns = {n: convert_column(n, table[n], path, wanted=kinds.get(n)) for n in used}
    # Other columns need no conversion, only a mention.
    return columns | {n: Column(n, "number", np.empty(0)) for n in names if n not in columns}


def _broken_rows(columns: dict[str, Column], specs: Specs | None, options: TableOptions) -> Bools:
    """Find text in columns of numbers (or dates): refuse it, or return which rows to skip."""
    rows = max(len(column.values) for column in columns.values())
    bad = np.zeros(rows, dtype=bool)
    kinds = {spec["name"]: spec["kind"] for spec in specs or ()}
    labels = wanted_labels(options, columns)
    if options.task == "regression":
        kinds |= dict.fromkeys(labels, "number")
    for name, column in columns.items():
        is_label = name in labels and name not in kinds
        if column.kind != "category" or is_label or kinds.get(name) == "category":
            continue
        numeric, filled = number_like(column), ~column.empty
        if kinds.get(name) == "date":
            numeric &= False
        elif name not in kinds and numeric.sum() < MOSTLY_NUMBERS * filled.sum():
            continue
        broken = filled & ~numeric
        if broken.any() and not options.skip_bad:
            row = int(np.flatnonzero(broken)[0])
            raise DataError(
                f"column {name!r} holds {kinds.get(name, 'number')}s, but row {row} (from 0) holds "
                f"{column.values[row].as_py()!r} ({broken.sum()} such cells)",
                value=options.path,
                remedy=SKIP_BAD,
            )
        bad |= broken
    return bad


def _encode_all(columns: dict[str, Column], specs: Specs, path: Path, notes: list[str]) -> Float32s:
    widths = [column_width(spec) for spec in specs]
    rows = len(columns[specs[0]["name"]].values)
    X = np.empty((rows, sum(widths)), dtype=np.float32)
    start = 0
    for spec, width in zip(specs, widths, strict=True):
        X[:, start : start + width], unseen = encode_column(columns[spec["name"]], spec)
        start += width
        if unseen:
            notes.append(f"{unseen} cells of {spec['name']!r} hold a category not seen in training")
    empty = {s["name"]: int(columns[s["name"]].empty.sum()) for s in specs}
    with_gaps = [repr(name) for name, count in empty.items() if count]
    if with_gaps:
        notes.append(f"{sum(empty.values())} cells are empty, in {join_names(with_gaps)}")
    dates = [repr(spec["name"]) for spec in specs if spec["kind"] == "date"]
    if dates:
        notes.append(f"dates became days since 1970-01-01: {join_names(dates)}")
    check_finite(X, str(path), allow_nan=True)
    return X


def _read_label_columns(
    columns: list[Column], rows: int, path: Path, task: str | None
) -> LabelArrays:
    if not columns:
        return LabelArrays()
    if len(columns) == 1:
        source = f"{path}: column {columns[0].name!r}"
        return read_labels(_to_numpy(columns[0]), sizes=(rows, 0), source=source, task=task)
    for column in columns:
        if column.kind != "number" and not column.empty.all():
            row = int(np.flatnonzero(~column.empty)[0])
            raise DataError(
                f"column {column.name!r} holds {str(_to_numpy(column)[row])!r} in row {row} (from "
                "0); a property is 0 or 1",
                value=path,
            )
    names = tuple(column.name for column in columns)
    values = np.stack(
        [c.values if c.kind == "number" else np.full(rows, np.nan) for c in columns], axis=1
    )
    y = as_properties(values, rows, str(path), names)
    note = note_task(path, "multilabel", f"{len(names)} columns of 0 and 1 were taken as labels")
    return LabelArrays(y=y, properties=names, notes=(note,) if task == "auto" else ())


def _to_numpy(column: Column) -> Array:
    if column.kind != "category":
        return np.asarray(column.values)
    return np.array(column.values.fill_null("").to_pylist(), dtype=np.str_)


READERS.add(
    "csv",
    Reader(
        display_name="CSV",
        summary="A table separated by comma, semicolon or tab: numbers, dates, texts (one-hot).",
        suffixes=(".csv", ".tsv"),
        read=read_csv,
        compressed=True,
        encoding="table",
    ),
)
READERS.add(
    "parquet",
    Reader(
        display_name="Parquet",
        summary="A table with typed columns: numbers, dates, texts (one-hot).",
        suffixes=(".parquet",),
        read=read_parquet,
        encoding="table",
    ),
)
