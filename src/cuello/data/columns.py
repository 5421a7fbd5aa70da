"""Columns of a table become numbers, dates as days, names as 0/1 columns; and cells again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cuello.arrays import Array, Bools, Floats
from cuello.data.dataset import Dataset, feature_blocks
from cuello.data.scaling import needs_double
from cuello.errors import DataError, Use

__all__ = [
    "Column",
    "as_cells",
    "convert_column",
    "describe_column",
    "encode_column",
    "format_number",
    "mark_missing",
    "number_like",
    "without_fill",
]

MOST_CATEGORIES = 50
DAY = 86_400_000_000  # microseconds

_NUMERAL = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
_EMPTY = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "None", "?")
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Column:
    """A converted column: number, date (days since 1970, NaN where empty) or category (Arrow text).

    ``discrete``: it was stored as integers or text, so could be an identifier.
    """

    name: str
    kind: str
    values: Any
    discrete: bool = False

    @property
    def empty(self) -> Bools:
        """Mask of the cells without a value."""
        if self.kind == "category":
            return np.asarray(self.values.is_null().to_numpy(zero_copy_only=False), dtype=bool)
        return np.asarray(np.isnan(self.values), dtype=bool)


def convert_column(name: str, column: Any, path: Path, *, wanted: str | None = None) -> Column:
    """Convert an Arrow column to the kind it can be, or the wanted one; otherwise to a category."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    column = _clean_text(column)
    if wanted != "category" and not pa.types.is_dictionary(column.type):
        for kind, attempt in (("number", _parse_numbers), ("date", _as_days)):
            values = attempt(column) if wanted in (None, kind) else None
            if values is not None:
                return Column(name, kind, values, not pa.types.is_floating(column.type))
    text = _as_text(column)
    if text is None:
        raise DataError(
            f"column {name!r} has type {column.type}, which is neither numbers, dates nor text",
            value=path,
            remedy="drop it or convert it",
        )
    texts = text.drop_null()
    if len(texts) and pc.all(pc.match_substring_regex(texts, _DECIMAL_COMMA)).as_py():
        raise DataError(
            f"column {name!r} holds numbers with a decimal comma ({texts[0]})",
            value=path,
            remedy="save the file with a decimal point",
        )
    return Column(name, "category", text, discrete=True)


def number_like(column: Column) -> Bools:
    """Return the mask of the cells of a text column that are numbers."""
    matches = pc.match_substring_regex(column.values, _NUMERAL).fill_null(False)
    return np.asarray(matches.to_numpy(zero_copy_only=False), dtype=bool)


def describe_column(column: Column, path: Path) -> dict[str, Any]:
    """Describe a column as JSON, enough to read it from another file in the same way."""
    categories: list[str] = []
    if column.kind == "category":
        categories = sorted(column.values.drop_null().unique().to_pylist())
        if len(categories) > MOST_CATEGORIES:
            raise DataError(
                f"column {column.name!r} is text with {len(categories)} different values (for "
                f"example {categories[0]!r}), more than the {MOST_CATEGORIES} that are turned into "
                "columns",
                value=path,
                remedy=("drop it, or if it is the label ", Use("label_column", column.name)),
            )
    spec = {"name": column.name, "kind": column.kind, "categories": categories, "fill": None}
    wide = column.kind != "category" and needs_double(column.values)
    return spec | ({"double": True} if wide else {})


def encode_column(column: Column, spec: Mapping[str, Any]) -> tuple[Array, int]:
    """Return features (n, 1) or (n, categories), NaN or 0 where empty, and how many are unseen.

    float32, or float64 for a column of the training data that needed it.
    """
    if spec["kind"] != "category":
        with np.errstate(over="ignore"):
            block = column.values.astype(np.float64 if spec.get("double") else np.float32)
        if spec["fill"] is not None:
            block[np.isnan(block)] = spec["fill"]
        return block[:, None], 0
    codes = pc.index_in(column.values, value_set=pa.array(spec["categories"], pa.string()))
    codes = codes.fill_null(-1).to_numpy(zero_copy_only=False)
    codes = np.where(column.empty, -1, codes)
    block = (codes[:, None] == np.arange(len(spec["categories"]))).astype(np.float32)
    return block, int(((codes < 0) & ~column.empty).sum())


def _clean_text(column: Any) -> Any:
    """Return text without white space around it, null for empty cells; other types as they are."""
    if not _is_text_type(column.type):
        return column
    text = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    empty = pc.is_in(text, value_set=pa.array(_EMPTY, pa.large_string()))
    return pc.if_else(empty, pa.scalar(None, pa.large_string()), text).cast(pa.large_string())


def _parse_numbers(column: Any) -> Floats | None:
    kind = column.type
    if _is_text_type(kind):
        # Arrow reads no "+5"; true and false are numbers too.
        numbers = _cast_or_none(column, pa.float64())
        if numbers is None:
            unsigned = pc.replace_substring_regex(column, r"^\+", "")
            numbers = _cast_or_none(unsigned, pa.float64())
        column = _cast_or_none(column, pa.bool_(), pa.uint8()) if numbers is None else numbers
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif not (pa.types.is_null(kind) or _is_number_type(kind)):
        return None
    return None if column is None else _to_floats(column)


def _as_days(column: Any) -> Floats | None:
    """Return days since 1970-01-01, of dates, of time stamps, and of text in the ISO form."""
    kind = column.type
    if _is_text_type(kind):
        days = _cast_or_none(column, pa.timestamp("us"))
        column = _cast_or_none(column, pa.timestamp("us", "UTC")) if days is None else days
    elif pa.types.is_date(kind):
        column = _cast_or_none(column, pa.timestamp("us"))
    elif pa.types.is_timestamp(kind):
        column = _cast_or_none(column, pa.timestamp("us", kind.tz))
    else:
        return None
    return None if column is None else _to_floats(column.cast(pa.int64())) / DAY


def _as_text(column: Any) -> Any:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    readable = _is_text_type(kind) or _is_number_type(kind) or pa.types.is_boolean(kind)
    if not (readable or pa.types.is_temporal(kind) or pa.types.is_null(kind)):
        return None
    return _clean_text(column.cast(kind).cast(pa.large_string())).cast(pa.string())


def _to_floats(column: Any) -> Floats:
    values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.array(values, dtype=np.float64)


def _cast_or_none(column: Any, *kinds: Any) -> Any:
    """Cast to one type after the other; None where a value does not fit."""
    try:
        for kind in kinds:
            column = column.cast(kind, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return column


def _is_text_type(kind: Any) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def _is_number_type(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def as_cells(X: Array, encoding: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the names of columns (``0``, ``1``, ... of an array) and the cells of every row."""
    if not encoding.get("columns"):
        return [str(k) for k in range(X.shape[1])], [[format_number(v) for v in row] for row in X]
    names, cells = [], []
    for column, block in feature_blocks(encoding):
        names.append(str(column["name"]))
        cells.append(_block_cells(X[:, block], column))
    return names, [list(row) for row in zip(*cells, strict=True)]


def without_fill(encoding: Mapping[str, Any]) -> dict[str, Any]:
    """Return an encoding by which empty cells of numbers and dates are read as NaN."""
    columns = [dict(column) | {"fill": None} for column in encoding.get("columns", ())]
    return dict(encoding) | ({"columns": columns} if columns else {})


def mark_missing(data: Dataset) -> Dataset:
    """Return a table with NaN in all features of a category whose cell was empty: all were 0."""
    X = np.array(data.X)
    for column, block in feature_blocks(data.encoding):
        if column["kind"] == "category":
            empty = (data.X[:, block] == 0.0).all(axis=1)
            X[empty, block] = np.nan
    return replace(data, X=X)


def format_number(value: float) -> str:
    """Return a number with the 7 digits that float32 holds, or 12 of an np.float64; no exponent."""
    digits = 12 if isinstance(value, np.float64) else 7
    return np.format_float_positional(value, digits, unique=False, fractional=False, trim="-")


def _block_cells(block: Array, column: Mapping[str, Any]) -> list[str]:
    if column["kind"] == "category":
        return [column["categories"][k] for k in block.argmax(axis=1)]
    if column["kind"] == "date":
        # Filled ones fall at any time of a day; a column of whole days stays one.
        seconds = 86_400.0 * np.asarray(block[:, 0], dtype=np.float64)
        whole = np.mean(seconds % 86_400.0 == 0.0) > 0.5
        step = 86_400 if whole else 1
        days = [_START + timedelta(seconds=step * round(float(s) / step)) for s in seconds]
        return [day.strftime("%Y-%m-%d" if whole else "%Y-%m-%dT%H:%M:%S") for day in days]
    return [format_number(value) for value in block[:, 0]]
