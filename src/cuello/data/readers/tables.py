"""Tables (CSV, Parquet): find the label, convert the columns, keep how it was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import Dataset, check_finite
from cuello.data.readers.base import Format, Options, content, listed, reading, stem
from cuello.data.readers.columns import Column, convert, encode, learn, number_like
from cuello.data.readers.label_values import as_properties
from cuello.data.readers.roles import find_labels, wanted_labels, without_identifiers
from cuello.data.readers.separated import parse
from cuello.data.readers.targets import Labels, read_labels
from cuello.errors import DataError

__all__ = ["CSV", "PARQUET"]

MOSTLY_NUMBERS = 0.9
"""Share of numbers from which text in a column is a broken cell and not a category."""

Mask = npt.NDArray[np.bool_]


def _read_csv(path: Path, options: Options) -> Dataset:
    raw = content(path)
    with reading(path):
        table, notes = parse(raw, path, options)
        return _dataset(table, path, options, notes)


def _read_parquet(path: Path, options: Options) -> Dataset:
    import pyarrow.parquet as pq

    with reading(path):
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes); save it again.")
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        return _dataset(table, path, options, [])


def _dataset(table: Any, path: Path, options: Options, notes: list[str]) -> Dataset:
    import pyarrow as pa

    names = list(table.column_names)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{path} has several columns named {repeated[0]!r}; rename them.")
    if not len(table):
        raise DataError(f"{path} holds no rows, only the columns {listed(names)}; add rows.")
    specs = options.encoding.get("columns")
    columns = _convert_all(table, path, options, specs)
    bad = _broken_cells(columns, specs, path, options)
    if bad.any():
        notes.append(f"{bad.sum()} broken rows were skipped: {listed(np.flatnonzero(bad))}")
        if bad.all():
            raise DataError(f"{path}: not one of {len(table)} rows can be read.")
        columns = _convert_all(table.filter(pa.array(~bad)), path, options, specs)
    labels = find_labels(columns, path, options, notes)
    row_names: tuple[str, ...] | None = None
    features = {name: column for name, column in columns.items() if name not in labels}
    if specs is None:
        features, row_names = without_identifiers(features, notes)
        specs = [learn(column, str(path)) for column in features.values()]
    else:
        own = str(options.encoding.get("label_column")).split(",")
        used = {*own, *(spec["name"] for spec in specs)}
        other = [name for name in features if name not in used]
        notes += [f"ignored columns that the model does not use: {listed(other)}"] * bool(other)
    if not specs:
        raise DataError(f"{path} has no column left to learn from; it has {listed(names)}.")
    X = _matrix(features, specs, path, notes)
    found = _labels([columns[name] for name in labels], len(X), path, options.task)
    encoding = {
        "type": "table",
        "columns": [dict(spec) for spec in specs],
        "label_column": ",".join(labels) or None,
    }
    return Dataset(
        X=X,
        y=found.y,
        classes=found.classes,
        properties=found.properties,
        name=stem(path),
        source=str(path),
        row_names=row_names,
        encoding=encoding,
        notes=(*notes, *found.notes),
    )


def _convert_all(
    table: Any, path: Path, options: Options, specs: Sequence[dict[str, Any]] | None
) -> dict[str, Column]:
    if specs is None:
        return {name: convert(name, table[name], str(path)) for name in table.column_names}
    missing = [spec["name"] for spec in specs if spec["name"] not in table.column_names]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r}, which the model was trained on "
            f"({len(missing)} of {len(specs)} are missing); it has {listed(table.column_names)}."
        )
    kinds = {spec["name"]: spec["kind"] for spec in specs}
    labels = wanted_labels(options, table.column_names)
    used = [name for name in table.column_names if name in kinds or name in labels]
    columns = {n: convert(n, table[n], str(path), wanted=kinds.get(n)) for n in used}
    # Other columns need no conversion, only a mention.
    return columns | {
        n: Column(n, "number", np.empty(0)) for n in table.column_names if n not in columns
    }


def _broken_cells(
    columns: dict[str, Column],
    specs: Sequence[dict[str, Any]] | None,
    path: Path,
    options: Options,
) -> Mask:
    """Find text in columns of numbers (or dates): refuse, or say which rows to skip."""
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
        numeric = number_like(column)
        there = ~column.empty
        mostly = numeric.sum() >= MOSTLY_NUMBERS * there.sum()
        if kinds.get(name) == "date":
            numeric &= False
        elif not (mostly or name in kinds):
            continue
        here = there & ~numeric
        if here.any() and not options.skip_bad:
            row = int(np.flatnonzero(here)[0])
            raise DataError(
                f"{path}: column {name!r} holds {kinds.get(name, 'number')}s, but row {row} (from "
                f"0) holds {column.values[row].as_py()!r} ({here.sum()} such cells). Correct it, "
                "or pass skip_bad=True (--skip-bad) to leave such rows out."
            )
        bad |= here
    return bad


def _matrix(
    columns: dict[str, Column], specs: Sequence[dict[str, Any]], path: Path, notes: list[str]
) -> npt.NDArray[np.float32]:
    widths = [len(s["categories"]) if s["kind"] == "category" else 1 for s in specs]
    rows = len(columns[specs[0]["name"]].values)
    X = np.empty((rows, sum(widths)), dtype=np.float32)
    start = 0
    for spec, width in zip(specs, widths, strict=True):
        column = columns[spec["name"]]
        block, unseen = encode(column, spec)
        X[:, start : start + width] = block
        start += width
        if unseen:
            notes.append(f"{unseen} cells of {spec['name']!r} hold a category not seen in training")
    empty = {s["name"]: int(columns[s["name"]].empty.sum()) for s in specs}
    holed = [name for name, count in empty.items() if count]
    if holed:
        notes.append(f"{sum(empty.values())} cells are empty, in {listed(map(repr, holed))}")
    dates = [spec["name"] for spec in specs if spec["kind"] == "date"]
    if dates:
        notes.append(f"dates became days since 1970-01-01: {listed(map(repr, dates))}")
    check_finite(X, str(path), allow_nan=True)
    return X


def _labels(columns: list[Column], rows: int, path: Path, task: str | None) -> Labels:
    if not columns:
        return Labels()
    if len(columns) == 1:
        y, where = _values(columns[0]), f"{path}: column {columns[0].name!r}"
        return read_labels(y, rows=(rows, 0), where=where, task=task)
    for column in columns:
        if column.kind != "number" and not column.empty.all():
            row = int(np.flatnonzero(~column.empty)[0])
            value = str(_values(column)[row])
            raise DataError(
                f"{path}: column {column.name!r} holds {value!r} in row {row} (from 0); a property "
                "is 0 or 1."
            )
    names = tuple(column.name for column in columns)
    values = np.stack(
        [c.values if c.kind == "number" else np.full(rows, np.nan) for c in columns], axis=1
    )
    y = as_properties(values, rows, str(path), names)
    said = (
        f"{len(names)} columns of 0 and 1 were taken as labels: the task is 'multilabel' (--task)"
    )
    return Labels(y=y, properties=names, notes=(said,) if task == "auto" else ())


def _values(column: Column) -> npt.NDArray[Any]:
    if column.kind != "category":
        return np.asarray(column.values)
    return np.array(column.values.fill_null("").to_pylist(), dtype=np.str_)


_OPTIONS = frozenset({"label_column"})
CSV = Format(
    what="table (comma, semicolon or tab separated)",
    suffixes=(".csv", ".tsv"),
    read=_read_csv,
    takes=_OPTIONS,
    encoding="table",
)
PARQUET = Format(
    what="table", suffixes=(".parquet",), read=_read_parquet, takes=_OPTIONS, encoding="table"
)
