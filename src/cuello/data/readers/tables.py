"""Tables of text (CSV) or in Parquet's format, read as Arrow tables."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cuello.data.dataset import Dataset
from cuello.data.readers.base import (
    READERS,
    SKIP_BAD,
    Reader,
    join_names,
    read_content,
    reading,
    refuse_empty_file,
)
from cuello.errors import DataError

__all__ = ["find_separator", "read_table"]


def read_table(
    path: Path,
    *,
    label_column: str | None = None,
    task: str | None = "auto",
    skip_bad: bool = False,
    encoding: Mapping[str, Any] = MappingProxyType({}),
) -> Dataset:
    """Read a table: Parquet by the suffix, else text, the separator of which is detected."""
    from cuello.data.tables import table_dataset  # loads pyarrow

    notes: list[str] = []
    with reading(path):
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            refuse_empty_file(path)
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read()
        else:
            table, notes = _parse_csv(read_content(path), path, skip_bad=skip_bad)
        return table_dataset(
            table,
            path,
            notes=notes,
            label_column=label_column,
            task=task,
            skip_bad=skip_bad,
            encoding=encoding,
        )


def find_separator(text: str) -> str:
    """Return comma, semicolon or tab: what cuts the first lines into equally many cells."""
    lines = text.splitlines()[:50]

    def score(mark: str) -> tuple[int, int]:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=mark) if row)
        width, rows = counts.most_common(1)[0] if counts else (1, 0)
        return (rows if width > 1 else 0), width

    return max(",;\t", key=score)


def _parse_csv(raw: bytes, path: Path, *, skip_bad: bool) -> tuple[Any, list[str]]:
    """Return an Arrow table of text, and notes; types are decided later, over whole columns."""
    import pyarrow as pa
    import pyarrow.csv as pacsv

    # A cut at 1 MiB may split a character: those first lines are only looked at.
    head = raw[: 2**20].decode("utf-8-sig", "ignore" if len(raw) > 2**20 else "strict")
    mark = find_separator(head)
    first = next((row for row in csv.reader(io.StringIO(head), delimiter=mark) if row), [])
    if not first:
        raise DataError("holds no rows", value=path, remedy="save it again")
    bare = _has_no_header(first)
    names = [f"c{i}" for i in range(len(first))] if bare else [name.strip() for name in first]
    automatic = [f"f{i}" for i in range(len(first))]  # Arrow's own names
    bad: list[str] = []

    def skip(row: Any) -> str:
        bad.append(f"line {row.number} has {row.actual_columns} cells, not {row.expected_columns}")
        return "skip"

    table = pacsv.read_csv(
        pa.BufferReader(raw),
        # One thread: only then are lines numbered.
        pacsv.ReadOptions(use_threads=False, autogenerate_column_names=bare, block_size=2**26),
        pacsv.ParseOptions(delimiter=mark, newlines_in_values=True, invalid_row_handler=skip),
        pacsv.ConvertOptions(column_types=dict.fromkeys([*first, *automatic], pa.string())),
    )
    if bad and not skip_bad:
        raise DataError(
            f"{bad[0]} ({len(bad)} such rows, separator {mark!r})", value=path, remedy=SKIP_BAD
        )
    notes = [f"the file has no header: columns are named c0 to c{len(names) - 1}"] if bare else []
    notes += [f"{len(bad)} broken rows were skipped: {join_names(bad)}"] if bad else []
    return table.rename_columns(names), notes


def _has_no_header(first: Sequence[str]) -> bool:
    """Check whether all cells are numbers or empty, but not the 0, 1, 2, ... that pandas writes."""
    cells = [cell.strip() for cell in first]
    numbers = [cell for cell in cells if cell]
    counted = len(cells) > 2 and cells == [str(i) for i in range(len(cells))]
    return bool(numbers) and not counted and all(map(_is_numeral, numbers))


def _is_numeral(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


READERS.add(
    "csv",
    Reader(
        display_name="CSV",
        summary="A table separated by comma, semicolon or tab: numbers, dates, texts (one-hot).",
        suffixes=(".csv", ".tsv"),
        read=read_table,
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
        read=read_table,
        encoding="table",
    ),
)
