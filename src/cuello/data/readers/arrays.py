"""NumPy's own files (.npy, .npz), and the rules every array of examples has to meet."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import Dataset, check_finite
from cuello.data.readers.base import Format, Options, listed, reading, stem
from cuello.data.readers.targets import read_labels
from cuello.data.sequences import sequence_lengths
from cuello.errors import DataError, InputError

__all__ = ["NPY", "NPZ", "as_examples", "image_encoding", "labelled"]

Array = npt.NDArray[Any]

KEEP_ON_DISK = 256 * 2**20
"""A .npy file larger than this many bytes stays on disk, as a memory map."""

# Left: the key of cuello. Right: spellings that are met, the first one found is taken.
KEYS = {
    "X": ("X", "x", "X_train", "x_train"),
    "y": ("y", "Y", "y_train", "Y_train"),
    "X_test": ("X_test", "x_test"),
    "y_test": ("y_test", "Y_test"),
}

_SHAPES = "(n, features), (n, height, width) or (n, channels, height, width)"


def as_examples(X: Array, where: str, *, holes: bool = False) -> tuple[Array, tuple[str, ...]]:
    """Check an array of examples and bring it to the stored form.

    uint8 stays uint8 (0..255), everything else becomes float32. Channels that come last,
    (n, height, width, 1|3|4), are moved to the front. In (n, time, features), NaN after the end of
    a row marks a short sequence. With ``holes``, NaN is an element that is missing, anywhere.

    Returns
    -------
    X : ndarray, uint8 or float32
    notes : tuple of str

    Raises
    ------
    DataError
        For a shape or type that cannot be examples, or values that are not finite.

    Examples
    --------
    >>> X, notes = as_examples(np.zeros((5, 8, 8, 3), dtype=np.uint8), "photos.npy")
    >>> X.shape, notes
    ((5, 3, 8, 8), ('photos.npy: channels were last, (8, 8, 3), and were moved to the front',))
    """
    _check(X, where)
    notes: tuple[str, ...] = ()
    if X.ndim == 4 and X.shape[1] > 4 and X.shape[3] in (1, 3, 4):
        notes = (f"{where}: channels were last, {X.shape[1:]}, and were moved to the front",)
        X = np.moveaxis(X, 3, 1)
    if holes:
        check_finite(X, where, allow_nan=True)
    elif X.ndim == 3 and X.dtype.kind == "f":
        notes = _check_sequences(X, where)
    else:
        check_finite(X, where)
    return _stored(X, where), notes


def labelled(
    parts: dict[str, Array],
    path: Path,
    *,
    task: str | None,
    notes: tuple[str, ...] = (),
    name: str = "",
    holes: bool = False,
) -> Dataset:
    """Put examples and labels (keys X, y, X_test, y_test; only X is needed) together."""
    X, notes_X = as_examples(parts["X"], f"{path}", holes=holes)
    X_test = None
    if "X_test" in parts:
        X_test, _ = as_examples(parts["X_test"], f"{path}: X_test", holes=holes)
        _check_same(X, X_test, path)
    elif "y_test" in parts:
        raise DataError(f"{path} has test labels (y_test) but no test examples (X_test); add them.")
    found = read_labels(
        parts.get("y"),
        parts.get("y_test"),
        rows=(len(X), 0 if X_test is None else len(X_test)),
        where=str(path),
        task=task,
    )
    return Dataset(
        X=X,
        y=found.y,
        classes=found.classes,
        properties=found.properties,
        name=name or stem(path),
        source=str(path),
        X_test=X_test,
        y_test=found.y_test,
        encoding=image_encoding(X),
        notes=notes + notes_X + found.notes,
    )


def image_encoding(X: Array) -> dict[str, Any]:
    """Say how image files have to be read to be like these examples; {} where nothing does."""
    modes = {1: "L", 3: "RGB"}
    channels = 1 if X.ndim == 3 else X.shape[1]
    if X.dtype != np.uint8 or X.ndim < 3 or channels not in modes:
        return {}
    return {"type": "images", "size": [int(s) for s in X.shape[-2:]], "mode": modes[channels]}


def _read_npy(path: Path, options: Options) -> Dataset:
    with reading(path):
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes); save it again.")
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":
                raise ValueError("it does not start like a file of numpy.save")
        # The map compares the header with the file's size before anything is allocated.
        X = np.load(path, mmap_mode="r", allow_pickle=False)
        native = X.dtype in (np.dtype(np.float32), np.dtype(np.uint8))
        if X.nbytes <= KEEP_ON_DISK or not native:
            X = np.array(X)
        return labelled({"X": X}, path, task=options.task, holes=options.holes)


def _read_npz(path: Path, options: Options) -> Dataset:
    with reading(path):
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not a complete archive of numpy.savez")
        # Opened here, as NumPy leaves the file open when the archive is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = list(archive.files)
            taken = {
                key: next(name for name in names if name in found)
                for key, names in KEYS.items()
                if any(name in found for name in names)
            }
            if "X" not in taken:
                raise DataError(
                    f"{path} has no array named X; it holds {listed(map(repr, found)) or 'nothing'}"
                    ". Save it with np.savez(file, X=..., y=...)."
                )
            parts = {key: archive[name] for key, name in taken.items()}
        other = sorted(set(found) - set(taken.values()))
        notes = (f"{path}: ignored the arrays {listed(map(repr, other))}",) if other else ()
        return labelled(parts, path, task=options.task, notes=notes, holes=options.holes)


def _check(X: Array, where: str) -> None:
    if X.dtype.kind not in "biuf":
        raise DataError(
            f"{where} has dtype {X.dtype}, but examples are real numbers; convert it to float32 "
            "(or uint8 for pixels 0..255) and save it again."
        )
    if X.ndim not in (2, 3, 4):
        raise DataError(
            f"{where} has shape {X.shape}, but examples are {_SHAPES}; reshape it and save it "
            "again, one example a row."
        )
    if X.size == 0:
        raise DataError(f"{where} has shape {X.shape}: it holds no value; save it with examples.")


def _check_sequences(X: Array, where: str) -> tuple[str, ...]:
    """Refuse infinite values, and NaN elsewhere than after the end of a row."""
    check_finite(X, where, allow_nan=True)
    try:
        lengths = sequence_lengths(X)
    except InputError as error:
        raise DataError(
            f"{where}: {error} (Read as (n, time, features): elsewhere, images have no NaN.)"
        ) from error
    if lengths.min() == X.shape[1]:
        return ()
    return (f"{where}: sequences of {lengths.min()} to {lengths.max()} steps",)


def _stored(X: Array, where: str) -> Array:
    in_memory = not isinstance(X, np.memmap)
    if X.dtype in (np.dtype(np.uint8), np.dtype(np.float32)):
        return np.ascontiguousarray(X) if in_memory else X
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(X, dtype=np.float32)
    if np.isinf(narrow).any():
        raise DataError(
            f"{where} holds values up to {np.nanmax(np.abs(X)):.3g}, beyond float32 (3.4e38); "
            "divide them, or take their logarithm, and save it again."
        )
    return narrow


def _check_same(X: Array, X_test: Array, path: Path) -> None:
    if X.shape[1:] != X_test.shape[1:] or X.dtype != X_test.dtype:
        raise DataError(
            f"{path}: X holds examples of shape {X.shape[1:]} ({X.dtype}), X_test of shape "
            f"{X_test.shape[1:]} ({X_test.dtype}); save both alike."
        )


NPY = Format(what="NumPy array", suffixes=(".npy",), read=_read_npy)
NPZ = Format(what="NumPy archive with X and, if known, y", suffixes=(".npz",), read=_read_npz)
