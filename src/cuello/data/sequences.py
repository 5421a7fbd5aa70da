"""Sequences of different lengths in one array: (n, time, features), NaN after the end of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from cuello.arrays import Array, Indices
from cuello.errors import InputError

__all__ = ["pad", "sequence_lengths", "steps_of"]


def pad(X: Any, steps: int | None = None) -> Any:
    """Fill up sequences with NaN to a length, that of the longest by default.

    They are (n, time, features), or a list of arrays (time, features); anything else stays.
    """
    if isinstance(X, list | tuple):
        rows = [np.asarray(row, dtype=np.float32) for row in X]
        shapes = {row.shape[1:] for row in rows}
        if not rows or any(row.ndim != 2 for row in rows) or len(shapes) > 1:
            raise InputError(
                f"X is a list of {len(rows)} arrays of shapes such as "
                f"{[row.shape for row in rows[:3]]}; sequences are (time, features) each, with the "
                "same features."
            )
        longest = max(map(len, rows))
    elif getattr(X, "ndim", 0) != 3 or steps is None or X.shape[1] == steps:
        return X
    elif X.shape[1] > steps and np.isnan(X[:, steps:]).all():
        return X[:, :steps]
    else:
        rows, longest = X, X.shape[1]
    if steps is not None and longest > steps:
        raise InputError(
            f"X holds a sequence of {longest} steps; this model was trained on up to {steps}; cut "
            "sequences to that, or train on longer ones."
        )
    out = np.full((len(rows), steps or longest, rows[0].shape[1]), np.nan, dtype=np.float32)
    for filled, row in zip(out, rows, strict=True):
        filled[: len(row)] = row
    return out


def sequence_lengths(X: Array) -> Indices:
    """Return the length of each sequence (n, time, features); refuse NaN but at the end."""
    present = ~np.isnan(X)
    steps = present.all(axis=2)
    lengths: Indices = steps.sum(axis=1)
    if (empty := np.flatnonzero(lengths == 0)).size:
        raise InputError(f"sequence {empty[0]} has length 0; leave it out.")
    expected = np.arange(X.shape[1]) < lengths[:, None]
    if (bad := np.flatnonzero((present != expected[..., None]).any(axis=(1, 2)))).size:
        raise InputError(
            f"sequence {bad[0]} has NaN before its end; NaN marks the end of short sequences, so "
            "fill in missing values first."
        )
    return lengths


def steps_of(X: Array) -> Array:
    """Return the steps of all sequences as the rows of one table, (steps, features)."""
    return X[np.arange(X.shape[1]) < sequence_lengths(X)[:, None]]
