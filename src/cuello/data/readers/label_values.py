"""Labels as stored (names, numbers, with gaps) become class codes, numbers, or 0 and 1."""

from __future__ import annotations

import numpy as np

from cuello.arrays import Array, Bools, Codes, Floats
from cuello.data.dataset import UNLABELLED
from cuello.errors import DataError, Use

__all__ = ["as_codes", "as_numbers", "as_properties", "is_integral"]


def as_codes(
    y: Array | None, y_test: Array | None = None, *, sizes: tuple[int, int], source: str
) -> tuple[Codes | None, Codes | None, tuple[str, ...]]:
    """Number the classes of the training and the test split together.

    Parameters
    ----------
    y, y_test : ndarray or None
        Class names or whole numbers. -1, NaN and the empty string mean unlabelled.
    sizes : (int, int)
        How many samples the two splits have.
    source : str
        File, for the errors.

    Returns
    -------
    codes, codes_test : ndarray of int64 or None
        None without labels, and for both where not one sample has a class.
    classes : tuple of str
        Sorted, as numbers if they are numbers.

    Examples
    --------
    >>> as_codes(np.array([7.0, np.nan, 3.0]), sizes=(3, 0), source="a.npz")
    (array([ 1, -1,  0]), None, ('3', '7'))
    """
    splits = [
        _names_or_integers(labels, n, f"{source}: {key}")
        for labels, n, key in ((y, sizes[0], "y"), (y_test, sizes[1], "y_test"))
        if labels is not None
    ]
    if len({values.dtype.kind for values, _ in splits}) > 1:
        raise DataError(
            f"y holds {splits[0][0].dtype} and y_test {splits[1][0].dtype}",
            value=source,
            remedy="use names or numbers in both",
        )
    present = [values[labelled] for values, labelled in splits]
    distinct = np.unique(np.concatenate(present)) if present else np.empty(0)
    if not len(distinct):
        return None, None, ()
    codes = iter(
        np.where(labelled, np.searchsorted(distinct, values), UNLABELLED).astype(np.int64)
        for values, labelled in splits
    )
    return (
        next(codes) if y is not None else None,
        next(codes) if y_test is not None else None,
        tuple(str(value) for value in distinct.tolist()),
    )


def as_numbers(y: Array, n: int, source: str) -> Floats:
    """Check n numbers to predict; NaN and the empty string mean unlabelled.

    Raises
    ------
    DataError
        If one is neither a finite number nor empty.

    Examples
    --------
    >>> as_numbers(np.array(["2.5", ""]), 2, "y")
    array([2.5, nan])
    """
    _check_shape(y, n, source)
    values = np.full(n, np.nan)
    for row, cell in enumerate(y.tolist()):
        text = cell.decode() if isinstance(cell, bytes) else cell
        try:
            values[row] = np.nan if text == "" else float(text)
        except (TypeError, ValueError):
            raise DataError(
                f"holds {text!r} in row {row} (from 0), which is no number",
                value=source,
                remedy=("correct it, leave it empty, or ", Use("task", "multiclass")),
            ) from None
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise DataError(
            f"is infinite in row {infinite[0]} (from 0)",
            value=source,
            remedy="correct it, or leave it empty",
        )
    return values


def as_properties(y: Array, n: int, source: str, names: tuple[str, ...]) -> Floats:
    """Check properties, 0 and 1 in (n, properties); a row of NaN means unlabelled.

    Raises
    ------
    DataError
        If another value is found, or a row has a label for some properties alone.

    Examples
    --------
    >>> as_properties(np.array([[0, 1], [np.nan, np.nan]]), 2, "y", ("even", "loop"))
    array([[ 0.,  1.],
           [nan, nan]])
    """
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "biuf":
        raise DataError(
            f"has shape {y.shape} ({y.dtype}); several properties are 0 and 1 in two columns or "
            f"more: shape ({n}, properties)",
            value=source,
        )
    if len(y) != n:
        raise DataError(
            f"has {len(y)} rows for {n} samples", value=source, remedy="save one row a sample"
        )
    if y.shape[1] != len(names):
        raise DataError(
            f"has {y.shape[1]} columns, not {len(names)}", value=source, remedy="save both alike"
        )
    values = y.astype(np.float64)
    empty = np.isnan(values)
    wrong = np.argwhere(~empty & ~np.isin(values, (0.0, 1.0)))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"property {names[column]!r} is {values[row, column]:g} in row {row} (from 0); a "
            "property is 0 or 1",
            value=source,
        )
    partly = np.flatnonzero(empty.any(axis=1) & ~empty.all(axis=1))
    if len(partly):
        lacking = names[int(empty[partly[0]].argmax())]
        raise DataError(
            f"property {lacking!r} is empty in row {partly[0]} (from 0; {len(partly)} such rows), "
            "and others are not",
            value=source,
            remedy="fill all properties of a row, or none",
        )
    return values


def is_integral(values: Array) -> bool:
    """Whether all numbers but NaN are whole, so can name classes."""
    values = values[~np.isnan(values)]
    return bool(np.isfinite(values).all() and (values == np.trunc(values)).all())


def _names_or_integers(y: Array, n: int, source: str) -> tuple[Array, Bools]:
    """Check the labels of one split; return them as str or int64, and which are labels."""
    _check_shape(y, n, source)
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8")
    if y.dtype.kind == "U":
        names = np.char.strip(y)
        return names, names != ""
    if y.dtype.kind not in "biuf":
        raise DataError(f"has dtype {y.dtype}; labels are text or whole numbers", value=source)
    numbers = y.astype(np.float64)
    if not is_integral(numbers):
        fraction = numbers[~np.isnan(numbers) & (numbers != np.trunc(numbers))][:1]
        raise DataError(
            f"looks like a number to predict, not a class (for example {fraction})",
            value=source,
            remedy=(Use("task", "regression"), " to learn numbers, or save class names"),
        )
    labelled = ~np.isnan(numbers) & (numbers != UNLABELLED)
    integers = y if y.dtype.kind in "iu" else np.where(labelled, numbers, 0)
    return integers.astype(np.int64), labelled


def _check_shape(y: Array, n: int, source: str) -> None:
    if y.ndim != 1:
        raise DataError(
            f"has shape {y.shape}, but labels are one value a sample: shape ({n},)",
            value=source,
            remedy=(
                "save y.ravel(), or y.argmax(axis=1) if it is one-hot; for several properties of "
                "0 and 1 ",
                Use("task", "multilabel"),
            ),
        )
    if len(y) != n:
        raise DataError(
            f"has {len(y)} labels for {n} samples", value=source, remedy="save one label a sample"
        )
