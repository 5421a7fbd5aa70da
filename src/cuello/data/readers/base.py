"""What all readers share: the options, the record of a format, and how a damaged file is said."""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cuello.data.dataset import Dataset
from cuello.errors import CuelloError, DataError

__all__ = ["NO_PICKLE", "Format", "Options", "content", "listed", "reading", "stem"]

NO_PICKLE = (
    "cuello never unpickles, as a pickle can run any program; save plain arrays with "
    "np.savez(file, X=..., y=...), or a table as Parquet or CSV"
)

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of :func:`cuello.data.load`, checked.

    Parameters
    ----------
    image_size : (int, int) or None
        Height and width.
    label_column : str or None
        Column of a table that holds the labels, or several with commas between them; None: found by
        its name, "": there is none.
    task : str or None
        How labels are read, one of :data:`cuello.data.dataset.TASKS`; None: not at all.
    skip_bad : bool
        Leave out images and rows that cannot be read instead of refusing.
    holes : bool
        Let arrays hold NaN anywhere, for elements that are missing.
    encoding : mapping
        ``Dataset.encoding`` of an earlier reading, to be followed; empty: decide anew.
    """

    image_size: tuple[int, int] | None = None
    label_column: str | None = None
    task: str | None = "auto"
    skip_bad: bool = False
    holes: bool = False
    encoding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Format:
    """One kind of file: how it is recognised and read, and which options mean something for it."""

    what: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Options], Dataset]
    takes: frozenset[str] = frozenset()
    encoding: str = ""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into one DataError that names the file.

    Decoders raise nearly anything on damaged bytes (``struct.error``, ``SyntaxError``,
    ``MemoryError``, ...), and warn besides; a list of types would never be complete.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CuelloError:
        raise
    except Exception as error:
        if "allow_pickle" in str(error) or "Python objects in dtype" in str(error):
            raise DataError(f"{path} holds Python objects, not numbers: {NO_PICKLE}.") from error
        raise DataError(
            f"{path} cannot be read: {_reason(error)}. The file is damaged, incomplete or of "
            "another format; copy, download or save it again."
        ) from error


def content(path: Path) -> bytes:
    """Read a file, uncompressed if it is gzip (told by its first bytes, not by its name)."""
    with reading(path):
        raw = path.read_bytes()
        if not raw:
            raise DataError(f"{path} is empty (0 bytes); copy, download or save it again.")
        return gzip.decompress(raw) if raw.startswith(_GZIP) else raw


def starts_with(path: Path, length: int) -> bytes:
    """Read the first bytes of the (uncompressed) content; empty where that is not possible."""
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] != _GZIP:
                return file.read(length)
            with gzip.open(file) as inner:
                return inner.read(length)
    except (OSError, EOFError, ValueError, zlib.error):
        return b""


def stem(path: Path) -> str:
    """Name a dataset after its file: ``a/scans.csv.gz`` is ``scans``."""
    name = path.resolve().name
    return name.removesuffix(".gz").rsplit(".", 1)[0] if "." in name.lstrip(".") else name


def listed(names: Iterable[object], limit: int = 20) -> str:
    """Join names for a note: all of them, or the first ones and how many more there are.

    Examples
    --------
    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    every = [str(name) for name in names]
    rest = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + rest


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text[:300] if text else type(error).__name__
