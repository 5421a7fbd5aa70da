"""Samples and classes from a user, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, validate_data

from cuello.arrays import Array, Codes
from cuello.data.augment import Augment
from cuello.data.dataset import UNLABELLED
from cuello.data.sequences import pad, sequence_lengths
from cuello.errors import Argument, InputError, Use
from cuello.kinds import KINDS
from cuello.options import Range

__all__ = [
    "check_rows",
    "check_shape",
    "check_whole",
    "class_codes",
    "divide",
    "mention_kinds",
    "parse_augment",
]

_DTYPES = (np.float32, np.float64, np.uint8)  # kept; others become the smallest that is exact


def check_rows(
    estimator: BaseEstimator,
    X: Any,
    *,
    reset: bool,
    sequences: bool = False,
    steps: int | None = None,
    missing: bool = False,
) -> Array:
    """Return samples (n, ...) as an array of finite numbers, by scikit-learn's rules.

    With ``reset`` the estimator keeps number and names of the columns, otherwise it compares them.
    ``sequences`` may be a list of (time, features) arrays of various lengths; they are filled up
    with NaN to ``steps``, or to the longest. With ``missing``, NaN is allowed anywhere.
    """
    if sequences:
        X = pad(X, steps)
    rows: Array = validate_data(
        estimator,
        X,
        reset=reset,
        allow_nd=True,
        dtype=[_exact_type(X), *_DTYPES],
        ensure_min_samples=2 if reset else 1,
        ensure_all_finite="allow-nan" if sequences or missing else True,
    )
    if sequences:
        if rows.ndim != 3:
            raise InputError(
                [
                    f"X has shape {rows.shape}; ",
                    Argument("network", "sequence"),
                    " needs (n, time, features), or a list of (time, features) arrays",
                ]
            )
        sequence_lengths(rows)
    return rows


def _exact_type(X: Any) -> type:
    """Return what numbers of other types become: long integers need more digits than float32."""
    dtype = getattr(X, "dtype", None)
    short = isinstance(dtype, np.dtype) and dtype.kind in "biuf" and dtype.itemsize < 4
    return np.float32 if short or dtype in _DTYPES else np.float64


def mention_kinds(attribute: str) -> list[str | Argument]:
    """Return the kinds that have an attribute, for an error: ``kind='a' or kind='b'``."""
    able = [name for name in sorted(KINDS) if hasattr(KINDS[name], attribute)]
    mentions = [Argument("kind", name) for name in able]
    return [piece for mention in mentions for piece in (" or ", mention)][1:]


def check_whole(argument: str, value: float, least: int = 1) -> int:
    """Return a number as an integer; refuse fractions, and what is below the least."""
    if value < least or value != int(value):
        raise InputError(argument=argument, value=value, allowed=f"a whole number from {least} on")
    return int(value)


def check_shape(X: Array, shape: tuple[int, ...]) -> None:
    """Refuse samples of another shape than a model was trained on."""
    if tuple(X.shape[1:]) != shape:
        raise InputError(
            f"X holds samples of shape {tuple(X.shape[1:])}; this model was trained on samples of "
            f"shape {shape}."
        )


def parse_augment(text: str | None, shape: tuple[int, ...], *, sequences: bool) -> Augment | None:
    """Return the augmentation that a text describes; raise InputError if samples are no images."""
    augment = None if text is None else Augment.parse(text)
    if augment is not None and (len(shape) < 2 or sequences):
        raise InputError(
            f"moves pixels but a sample has shape {shape}",
            argument="augment",
            value=text,
            remedy=[Use("augment", None), " for tables and sequences"],
        )
    return augment


def class_codes(X: Array, y: npt.ArrayLike | None) -> tuple[Array, Codes]:
    """Return the classes, and the class of each sample by number, -1 where it has no label."""
    if y is None:
        # The middle of this sentence is what scikit-learn's own checks look for.
        raise InputError(
            "learning classes requires y to be passed, but the target y is None; give fit a class "
            "for every sample, -1 where it has none."
        )
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_consistent_length(X, labels)
    check_classification_targets(labels)
    # A list of texts and -1 has become an array of texts alone.
    labelled = np.array(
        [label not in (UNLABELLED, str(UNLABELLED)) for label in labels], dtype=bool
    )
    if not labelled.any():
        raise InputError("y holds no labels (every entry is -1, unlabelled); label some samples.")
    codes = np.full(len(labels), UNLABELLED, dtype=np.int64)
    classes, codes[labelled] = np.unique(labels[labelled], return_inverse=True)
    return classes, codes


def divide(
    X: Array, codes: Codes | None, fraction: float, seed: int
) -> tuple[Array, Codes | None, Array | None]:
    """Return training samples, their classes, and a share [0, 1) held out for validation."""
    Range(0.0, 1.0, open_high=True).check("validation_fraction", fraction)
    held_out = round(len(X) * fraction)
    if held_out == 0:
        return X, codes, None
    order = np.random.default_rng(seed).permutation(len(X))
    kept = order[held_out:]
    return X[kept], None if codes is None else codes[kept], X[order[:held_out]]
