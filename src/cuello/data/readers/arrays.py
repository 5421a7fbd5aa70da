"""Files of NumPy (.npy, .npz), and the rules that every array of samples has to meet."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from cuello.arrays import Array
from cuello.data.dataset import Dataset, check_finite
from cuello.data.label_arrays import with_label_arrays
from cuello.data.readers.base import READERS, Reader, join_names, reading, refuse_empty_file, stem
from cuello.data.scaling import needs_double
from cuello.data.sequences import sequence_lengths
from cuello.errors import DataError, InputError

__all__ = ["as_samples", "image_encoding", "labelled_dataset"]

KEEP_ON_DISK = 256 * 2**20
"""A .npy file larger than this many bytes stays on disk, as a memory map."""

# Left: the name in cuello. Right: names in other files, of which the first is taken.
KEYS = {
    "X": ("X", "x", "X_train", "x_train"),
    "y": ("y", "Y", "y_train", "Y_train"),
    "X_test": ("X_test", "x_test"),
    "y_test": ("y_test", "Y_test"),
}


def as_samples(X: Array, source: str, *, allow_nan: bool = False) -> tuple[Array, tuple[str, ...]]:
    """Check an array of samples and bring it to the stored form, with notes on what changed.

    uint8 stays uint8, all else becomes float32, or float64 in a table with a column of which that
    would drop digits; last channels are moved to the front. NaN ends a
    short sequence of (n, time, features), or (``allow_nan``) is a missing element, anywhere.
    """
    if X.dtype.kind not in "biuf":
        raise DataError(
            f"has dtype {X.dtype}, but samples are real numbers",
            value=source,
            remedy="convert it to float32 (or uint8 for pixels 0..255) and save it again",
        )
    if X.ndim not in (2, 3, 4):
        raise DataError(
            f"has shape {X.shape}, but samples are (n, features), (n, height, width) or (n, "
            "channels, height, width)",
            value=source,
            remedy="reshape it and save it again, the samples along the first axis",
        )
    if X.size == 0:
        raise DataError(
            f"has shape {X.shape}: it holds no value", value=source, remedy="save it with samples"
        )
    notes: tuple[str, ...] = ()
    if X.ndim == 4 and X.shape[1] > 4 and X.shape[3] in (1, 3, 4):
        notes = (f"{source}: channels were last, {X.shape[1:]}, and were moved to the front",)
        X = np.moveaxis(X, 3, 1)
    sequences = not allow_nan and X.ndim == 3 and X.dtype.kind == "f"
    check_finite(X, source, allow_nan=allow_nan or sequences)
    if sequences:
        notes = _check_sequences(X, source)
    return _stored(X, source), notes


def labelled_dataset(
    arrays: dict[str, Array],
    path: Path,
    *,
    task: str | None,
    notes: tuple[str, ...] = (),
    allow_nan: bool = False,
) -> Dataset:
    """Make a dataset of samples and labels (keys X, y, X_test, y_test; only X is needed)."""
    X, notes_X = as_samples(arrays["X"], str(path), allow_nan=allow_nan)
    X_test = None
    if "X_test" in arrays:
        X_test, _ = as_samples(arrays["X_test"], f"{path}: X_test", allow_nan=allow_nan)
        if X.dtype.kind == X_test.dtype.kind == "f" and X.dtype != X_test.dtype:
            X, X_test = (one.astype(np.float64, copy=False) for one in (X, X_test))
        if X.shape[1:] != X_test.shape[1:] or X.dtype != X_test.dtype:
            raise DataError(
                f"X holds samples of shape {X.shape[1:]} ({X.dtype}), X_test of shape "
                f"{X_test.shape[1:]} ({X_test.dtype})",
                value=path,
                remedy="save both alike",
            )
    elif "y_test" in arrays:
        raise DataError(
            "has test labels (y_test) but no test samples (X_test)", value=path, remedy="add them"
        )
    data = Dataset(
        X=X,
        name=stem(path),
        source=str(path),
        X_test=X_test,
        encoding=image_encoding(X),
        notes=notes + notes_X,
    )
    y, y_test = arrays.get("y"), arrays.get("y_test")
    return with_label_arrays(data, y, y_test, source=str(path), task=task)


def image_encoding(X: Array) -> dict[str, Any]:
    """Return the encoding by which image files become samples like these; {} if none can."""
    modes = {1: "L", 3: "RGB"}
    channels = 1 if X.ndim == 3 else X.shape[1]
    if X.dtype != np.uint8 or X.ndim < 3 or channels not in modes:
        return {}
    return {"type": "images", "size": [int(s) for s in X.shape[-2:]], "mode": modes[channels]}


def read_npy(path: Path, *, task: str | None = "auto", allow_nan: bool = False) -> Dataset:
    """Read an array; a large one of float32 or uint8 stays on disk."""
    with reading(path):
        refuse_empty_file(path)
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":
                raise ValueError("it does not start like a file of numpy.save")
        # The map compares the header with the file's size before anything is allocated.
        X = np.load(path, mmap_mode="r", allow_pickle=False)
        native = X.dtype in (np.dtype(np.float32), np.dtype(np.uint8))
        if X.nbytes <= KEEP_ON_DISK or not native:
            X = np.array(X)
        return labelled_dataset({"X": X}, path, task=task, allow_nan=allow_nan)


def read_npz(path: Path, *, task: str | None = "auto", allow_nan: bool = False) -> Dataset:
    """Read the arrays of an archive that have one of the names of :data:`KEYS`."""
    with reading(path):
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not a complete archive of numpy.savez")
        # Opened here, as NumPy leaves the file open when the archive is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            stored = list(archive.files)
            taken = {
                key: next(name for name in names if name in stored)
                for key, names in KEYS.items()
                if any(name in stored for name in names)
            }
            if "X" not in taken:
                held = join_names(map(repr, stored)) or "nothing"
                raise DataError(
                    f"has no array named X; it holds {held}",
                    value=path,
                    remedy="save it with np.savez(file, X=..., y=...)",
                )
            arrays = {key: archive[name] for key, name in taken.items()}
        other = sorted(set(stored) - set(taken.values()))
        notes = (f"{path}: ignored the arrays {join_names(map(repr, other))}",) if other else ()
        return labelled_dataset(arrays, path, task=task, notes=notes, allow_nan=allow_nan)


def _check_sequences(X: Array, source: str) -> tuple[str, ...]:
    """Refuse NaN elsewhere than at the end of a sequence; return a note on the lengths."""
    try:
        lengths = sequence_lengths(X)
    except InputError as error:
        raise DataError(
            f"{error} (Read as (n, time, features): elsewhere, images have no NaN.)", value=source
        ) from error
    if lengths.min() == X.shape[1]:
        return ()
    return (f"{source}: sequences of {lengths.min()} to {lengths.max()} steps",)


def _stored(X: Array, source: str) -> Array:
    if X.dtype in (np.dtype(np.uint8), np.dtype(np.float32)):
        return X if isinstance(X, np.memmap) else np.ascontiguousarray(X)
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(X, dtype=np.float32)
    if np.isinf(narrow).any():
        raise DataError(
            f"holds values up to {np.nanmax(np.abs(X)):.3g}, beyond float32 (3.4e38)",
            value=source,
            remedy="divide them, or take their logarithm, and save it again",
        )
    if X.ndim == 2 and any(needs_double(column) for column in X.T):
        return np.ascontiguousarray(X, dtype=np.float64)
    return narrow


READERS.add(
    "npy",
    Reader(
        display_name="NumPy array",
        summary="Samples in one array; above 256 MiB it stays on disk as a memory map.",
        suffixes=(".npy",),
        read=read_npy,
    ),
)
READERS.add(
    "npz",
    Reader(
        display_name="NumPy archive",
        summary="Arrays X and, where they exist, y, X_test and y_test.",
        suffixes=(".npz",),
        read=read_npz,
    ),
)
