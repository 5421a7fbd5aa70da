"""Rows and classes as they come from a user, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, validate_data

from cuello.data.augment import Augment
from cuello.data.dataset import UNLABELLED
from cuello.data.sequences import pad, sequence_lengths
from cuello.errors import InputError

__all__ = ["check_rows", "check_shape", "class_codes", "parse_augment"]

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]

NUMBERS = [np.float32, np.float64, np.uint8]
"""Types of input that are taken as they are; others become float32."""


def check_rows(
    estimator: BaseEstimator,
    X: Any,
    *,
    reset: bool,
    sequences: bool = False,
    steps: int | None = None,
    holes: bool = False,
) -> Array:
    """Return rows as an array of finite numbers, by scikit-learn's rules.

    Parameters
    ----------
    estimator : BaseEstimator
        Remembers the number and names of columns, or compares with what it remembers.
    X : array-like
        (n, ...). With ``sequences``, also a list of (time, features) arrays of various lengths.
    reset : bool
        Remember (``fit``), or compare (everything else).
    sequences : bool
        Whether NaN may fill up the end of a row.
    holes : bool
        Whether NaN may stand anywhere, for an element that is missing.
    steps : int or None
        The length that sequences are filled up to; None: that of the longest.
    """
    if sequences:
        X = pad(X, steps)
    rows: Array = validate_data(
        estimator,
        X,
        reset=reset,
        allow_nd=True,
        dtype=NUMBERS,
        ensure_min_samples=2 if reset else 1,
        ensure_all_finite="allow-nan" if sequences or holes else True,
    )
    if sequences:
        if rows.ndim != 3:
            raise InputError(
                f"X has shape {rows.shape}; network='sequence' needs (n, time, features), or a "
                "list of (time, features) arrays."
            )
        sequence_lengths(rows)
    return rows


def check_shape(X: Array, shape: tuple[int, ...]) -> None:
    """Refuse rows of another shape than a model was trained on."""
    if tuple(X.shape[1:]) != shape:
        raise InputError(
            f"X holds rows of shape {tuple(X.shape[1:])}; this model was trained on rows of shape "
            f"{shape}."
        )


def parse_augment(text: str | None, shape: tuple[int, ...], *, sequences: bool) -> Augment | None:
    """Return the augmentation that a text describes.

    Raises
    ------
    InputError
        If it is not understood, or rows are no images.
    """
    augment = None if text is None else Augment.parse(text)
    if augment is not None and (len(shape) < 2 or sequences):
        raise InputError(
            f"augment={text!r} moves pixels but a row has shape {shape}; use augment=None for "
            "tables and sequences."
        )
    return augment


def class_codes(X: Array, y: npt.ArrayLike | None) -> tuple[Array, Codes]:
    """Return the classes, and the class of each row by number, -1 where it has none.

    Raises
    ------
    InputError
        If no row is labelled.
    """
    if y is None:
        # The middle of this sentence is what scikit-learn's own checks look for.
        raise InputError(
            "learning classes requires y to be passed, but the target y is None; give fit a class "
            "for every row, -1 where it has none."
        )
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_consistent_length(X, labels)
    check_classification_targets(labels)
    # A list of texts and -1 has become an array of texts alone.
    known = np.array([label not in (UNLABELLED, str(UNLABELLED)) for label in labels], dtype=bool)
    if not known.any():
        raise InputError("y holds no labels (every entry is -1, unlabelled); label some rows.")
    codes = np.full(len(labels), UNLABELLED, dtype=np.int64)
    classes, codes[known] = np.unique(labels[known], return_inverse=True)
    return classes, codes
