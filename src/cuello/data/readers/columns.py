"""Columns of a table become numbers: numbers as they are, dates as days, names as 0/1 columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.errors import DataError

__all__ = ["Column", "convert", "encode", "learn", "number_like"]

MOST_CATEGORIES = 50
DAY = 86_400_000_000  # microseconds

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
_EMPTY = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "None", "?")


@dataclass(frozen=True)
class Column:
    """A column after conversion.

    Parameters
    ----------
    name : str
    kind : {"number", "date", "category"}
    values : ndarray of float64 with NaN, or an Arrow array of text with nulls
    whole : bool
        Whether it was stored as integers or text, so could be an identifier.
    """

    name: str
    kind: str
    values: Any
    whole: bool = False

    @property
    def empty(self) -> npt.NDArray[np.bool_]:
        """Where there is no value."""
        if self.kind == "category":
            return np.asarray(self.values.is_null().to_numpy(zero_copy_only=False), dtype=bool)
        return np.asarray(np.isnan(self.values), dtype=bool)


def convert(name: str, column: Any, where: str, *, wanted: str | None = None) -> Column:
    """Convert an Arrow column to the kind it can be, or the wanted one.

    A column of numbers that cannot be converted comes back as a category: see ``number_like``.

    Raises
    ------
    DataError
        For types that are neither numbers, dates nor text, and for decimal commas.
    """
    import pyarrow as pa

    column = _cleaned(column)
    if wanted != "category" and not pa.types.is_dictionary(column.type):
        for kind, attempt in (("number", _numbers), ("date", _days)):
            values = attempt(column) if wanted in (None, kind) else None
            if values is not None:
                return Column(name, kind, values, not pa.types.is_floating(column.type))
    text = _texts(column)
    if text is None:
        raise DataError(
            f"{where}: column {name!r} has type {column.type}, which is neither numbers, dates nor "
            "text; drop it or convert it."
        )
    _refuse_decimal_comma(name, text, where)
    return Column(name, "category", text, whole=True)


def number_like(column: Column) -> npt.NDArray[np.bool_]:
    """Say which cells of a text column are numbers."""
    import pyarrow.compute as pc

    found = pc.match_substring_regex(column.values, _NUMBER).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def learn(column: Column, where: str) -> dict[str, Any]:
    """Describe a column as JSON, enough to read it from another file in the same way."""
    categories: list[str] = []
    if column.kind == "category":
        categories = sorted(column.values.drop_null().unique().to_pylist())
        if len(categories) > MOST_CATEGORIES:
            raise DataError(
                f"{where}: column {column.name!r} is text with {len(categories)} different values "
                f"(for example {categories[0]!r}), more than the {MOST_CATEGORIES} that are turned "
                f"into columns; drop it, or if it is the label pass label_column={column.name!r}."
            )
    return {"name": column.name, "kind": column.kind, "categories": categories, "fill": None}


def encode(column: Column, spec: dict[str, Any]) -> tuple[npt.NDArray[np.float32], int]:
    """Turn a column into numbers as described.

    Returns
    -------
    block : ndarray of float32, shape (n, 1) or (n, categories)
        Empty cells are NaN (or the fill value, where there is one), or all zeros for a category.
    unseen : int
        How many cells hold a category that was not there when the description was made.
    """
    if spec["kind"] != "category":
        with np.errstate(over="ignore"):
            block = column.values.astype(np.float32)
        if spec["fill"] is not None:
            block[np.isnan(block)] = spec["fill"]
        return block[:, None], 0
    import pyarrow as pa
    import pyarrow.compute as pc

    place = pc.index_in(column.values, value_set=pa.array(spec["categories"], pa.string()))
    codes = place.fill_null(-1).to_numpy(zero_copy_only=False)
    codes = np.where(column.empty, -1, codes)
    block = (codes[:, None] == np.arange(len(spec["categories"]))).astype(np.float32)
    return block, int(((codes < 0) & ~column.empty).sum())


def _cleaned(column: Any) -> Any:
    """One Arrow array; of text, without white space around it and with null for empty cells."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(column.type):
        return column
    if not _is_text(column.type):
        return column
    text = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    empty = pc.is_in(text, value_set=pa.array(_EMPTY, pa.large_string()))
    return pc.if_else(empty, pa.scalar(None, pa.large_string()), text).cast(pa.large_string())


def _numbers(column: Any) -> npt.NDArray[np.float64] | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if _is_text(kind):
        # Arrow reads no "+5"; true and false are numbers too.
        column = _first(
            _cast(column, pa.float64()),
            lambda: _cast(pc.replace_substring_regex(column, r"^\+", ""), pa.float64()),
            lambda: _cast(_cast(column, pa.bool_()), pa.uint8()),
        )
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif not (pa.types.is_null(kind) or _is_number(kind)):
        return None
    return None if column is None else _floats(column)


def _days(column: Any) -> npt.NDArray[np.float64] | None:
    """Days since 1970-01-01, of dates, of time stamps, and of text in the ISO form."""
    import pyarrow as pa

    kind = column.type
    if _is_text(kind):
        column = _first(
            _cast(column, pa.timestamp("us")), lambda: _cast(column, pa.timestamp("us", "UTC"))
        )
    elif pa.types.is_date(kind):
        column = _cast(column, pa.timestamp("us"))
    elif pa.types.is_timestamp(kind):
        column = _cast(column, pa.timestamp("us", kind.tz))
    else:
        return None
    return None if column is None else _floats(column.cast(pa.int64())) / DAY


def _texts(column: Any) -> Any:
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    readable = _is_text(kind) or _is_number(kind) or pa.types.is_boolean(kind)
    if not (readable or pa.types.is_temporal(kind) or pa.types.is_null(kind)):
        return None
    text = column.cast(kind).cast(pa.large_string())
    return _cleaned(text).cast(pa.string())


def _floats(column: Any) -> npt.NDArray[np.float64]:
    import pyarrow as pa

    values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.array(values, dtype=np.float64)


def _cast(column: Any, kind: Any) -> Any:
    """Cast, or None where a value does not fit (or there is no column)."""
    import pyarrow as pa

    if column is None:
        return None
    try:
        return column.cast(kind, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _first(found: Any, *others: Callable[[], Any]) -> Any:
    for other in others:
        found = other() if found is None else found
    return found


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    view = types.is_string_view(kind)
    return bool(view or types.is_string(kind) or types.is_large_string(kind))


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _refuse_decimal_comma(name: str, text: Any, where: str) -> None:
    import pyarrow.compute as pc

    known = text.drop_null()
    if len(known) and pc.all(pc.match_substring_regex(known, _DECIMAL_COMMA)).as_py():
        raise DataError(
            f"{where}: column {name!r} holds numbers with a decimal comma ({known[0]}); save the "
            "file with a decimal point."
        )
