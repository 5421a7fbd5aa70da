"""The registry of readers, and what all of them share."""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cuello.data.dataset import Dataset
from cuello.errors import CuelloError, DataError, Use
from cuello.options import Option, read_options
from cuello.registry import Registry

__all__ = ["READERS", "Reader", "join_names", "read_content", "reading", "stem"]

NO_PICKLE = (
    "cuello never unpickles, as a pickle can run any program; save plain arrays with "
    "np.savez(file, X=..., y=...), or a table as Parquet or CSV"
)
SAVE_AGAIN = "copy, download or save it again"
SKIP_BAD = ("correct it, or ", Use("skip_bad", True), " to leave such rows out")
"""The remedy for files and rows that cannot be read."""

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A format: how its files or folders are recognised and read.

    Parameters
    ----------
    display_name, summary : str
        As shown in tables, and one sentence on what is read.
    read : callable
        ``read(path, *, option=default, ...) -> Dataset``. Its keyword-only parameters are those
        options of :func:`cuello.data.load` that it follows, and any of its own.
    suffixes : tuple of str
        Endings of file names, in lower case.
    claims : callable
        Whether a path is of this format that no suffix decides: a folder, or by its first bytes.
    compressed : bool
        Whether ``.gz`` may follow the suffix.
    encoding : str
        ``type`` of the :attr:`Dataset.encoding` that it returns and follows; "" for none.
    """

    display_name: str
    summary: str
    read: Callable[..., Dataset]
    suffixes: tuple[str, ...] = ()
    claims: Callable[[Path], bool] = lambda path: False
    compressed: bool = False
    encoding: str = ""

    @property
    def options(self) -> dict[str, Option]:
        """Options by name."""
        return read_options(self.read)


READERS: Registry[Reader] = Registry("format")
"""Every format by name; each module of this folder enters its own."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into one DataError that names the file."""
    # Decoders raise nearly anything on damaged bytes (struct.error, SyntaxError, MemoryError, ...),
    # and warn besides; a list of types would never be complete.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CuelloError:
        raise
    except Exception as error:
        if "allow_pickle" in str(error) or "Python objects in dtype" in str(error):
            raise DataError(
                "holds Python objects, not numbers", value=path, remedy=NO_PICKLE
            ) from error
        raise DataError(
            f"cannot be read: {reason(error)}; it is damaged, incomplete or of another format",
            value=path,
            remedy=SAVE_AGAIN,
        ) from error


def refuse_empty_file(path: Path) -> None:
    """Refuse a file of 0 bytes, of which decoders complain in ways that do not help."""
    if path.stat().st_size == 0:
        raise DataError("is empty (0 bytes)", value=path, remedy=SAVE_AGAIN)


def read_content(path: Path) -> bytes:
    """Read a file, uncompressed if it is gzip by its first bytes, whatever its name."""
    with reading(path):
        refuse_empty_file(path)
        raw = path.read_bytes()
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
    """Return the name of a dataset by its file: ``scans`` for ``a/scans.csv.gz``."""
    name = path.resolve().name
    return name.removesuffix(".gz").rsplit(".", 1)[0] if "." in name.lstrip(".") else name


def join_names(names: Iterable[object], limit: int = 20) -> str:
    """Join names for a message: all of them, or the first ones and how many more there are."""
    every = [str(name) for name in names]
    rest = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + rest


def reason(error: Exception) -> str:
    """Return the text of a decoder's error on one line, at most 300 characters."""
    return " ".join(str(error).split()).rstrip(".")[:300] or type(error).__name__
