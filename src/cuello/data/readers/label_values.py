"""Labels as they come (names, numbers, with gaps) become class codes, numbers, or 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import UNLABELLED
from cuello.errors import DataError

__all__ = ["as_codes", "as_numbers", "as_properties", "is_integral"]

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]


def as_codes(
    y: npt.NDArray[Any] | None,
    y_test: npt.NDArray[Any] | None = None,
    *,
    rows: tuple[int, int],
    where: str,
) -> tuple[Codes | None, Codes | None, tuple[str, ...]]:
    """Number the classes of a training and a test part together.

    Parameters
    ----------
    y, y_test : ndarray or None
        Class names or whole numbers. -1, NaN and the empty string mean unlabelled.
    rows : (int, int)
        How many examples the two parts have.
    where : str
        File, for the errors.

    Returns
    -------
    codes, codes_test : ndarray of int64 or None
        None where there were no labels, and for both where not one row has a class.
    classes : tuple of str
        Sorted, as numbers if they are numbers.

    Examples
    --------
    >>> as_codes(np.array([7.0, np.nan, 3.0]), rows=(3, 0), where="a.npz")
    (array([ 1, -1,  0]), None, ('3', '7'))
    """
    parts = [
        _values(part, n, f"{where}: {key}")
        for part, n, key in ((y, rows[0], "y"), (y_test, rows[1], "y_test"))
        if part is not None
    ]
    if len({part[0].dtype.kind for part in parts}) > 1:
        raise DataError(
            f"{where}: y holds {parts[0][0].dtype} and y_test {parts[1][0].dtype}; "
            "use names or numbers in both."
        )
    known = [values[labelled] for values, labelled in parts]
    distinct = np.unique(np.concatenate(known)) if known else np.empty(0)
    if not len(distinct):
        return None, None, ()
    codes = iter(
        np.where(labelled, np.searchsorted(distinct, values), UNLABELLED).astype(np.int64)
        for values, labelled in parts
    )
    return (
        next(codes) if y is not None else None,
        next(codes) if y_test is not None else None,
        tuple(str(value) for value in distinct.tolist()),
    )


def as_numbers(y: Array, n: int, what: str) -> npt.NDArray[np.float64]:
    """Check numbers to predict; NaN and the empty string mean unlabelled.

    Raises
    ------
    DataError
        If there is not one finite number, or nothing, for each of n rows.

    Examples
    --------
    >>> as_numbers(np.array(["2.5", ""]), 2, "y")
    array([2.5, nan])
    """
    _check_shape(y, n, what)
    values = np.full(n, np.nan)
    for row, cell in enumerate(y.tolist()):
        text = cell.decode() if isinstance(cell, bytes) else cell
        try:
            values[row] = np.nan if text == "" else float(text)
        except (TypeError, ValueError):
            raise DataError(
                f"{what} holds {text!r} in row {row} (from 0), which is no number; correct it, "
                "leave it empty, or pass task='multiclass' (--task)."
            ) from None
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise DataError(
            f"{what} is infinite in row {infinite[0]} (from 0); correct it, or leave it empty."
        )
    return values


def as_properties(y: Array, n: int, what: str, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Check properties, 0 and 1 in (n, properties); a row of NaN means unlabelled.

    Raises
    ------
    DataError
        If another value is there, or a row has a label for some properties alone.

    Examples
    --------
    >>> as_properties(np.array([[0, 1], [np.nan, np.nan]]), 2, "y", ("even", "loop"))
    array([[ 0.,  1.],
           [nan, nan]])
    """
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "biuf":
        raise DataError(
            f"{what} has shape {y.shape} ({y.dtype}); several properties are 0 and 1 in two "
            f"columns or more: shape ({n}, properties)."
        )
    if len(y) != n:
        raise DataError(f"{what} has {len(y)} rows for {n} examples; save one row an example.")
    if y.shape[1] != len(names):
        raise DataError(f"{what} has {y.shape[1]} columns, not {len(names)}; save both alike.")
    values = y.astype(np.float64)
    empty = np.isnan(values)
    wrong = np.argwhere(~empty & ~np.isin(values, (0.0, 1.0)))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"{what}: property {names[column]!r} is {values[row, column]:g} in row {row} (from 0); "
            "a property is 0 or 1."
        )
    partly = np.flatnonzero(empty.any(axis=1) & ~empty.all(axis=1))
    if len(partly):
        lacking = names[int(empty[partly[0]].argmax())]
        raise DataError(
            f"{what}: property {lacking!r} is empty in row {partly[0]} (from 0; {len(partly)} such "
            "rows), and others are not; fill all properties of a row, or none."
        )
    return values


def is_integral(values: npt.NDArray[Any]) -> bool:
    """Whether all numbers that are there (not NaN) are whole, so can name classes."""
    known = values[~np.isnan(values)]
    return bool(np.isfinite(known).all() and (known == np.trunc(known)).all())


def _values(y: npt.NDArray[Any], n: int, what: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Check one part; return its values (str or int64) and where it is labelled."""
    _check_shape(y, n, what)
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8")
    if y.dtype.kind == "U":
        names = np.char.strip(y)
        return names, names != ""
    if y.dtype.kind not in "biuf":
        raise DataError(f"{what} has dtype {y.dtype}; labels are text or whole numbers.")
    numbers = y.astype(np.float64)
    if not is_integral(numbers):
        raise DataError(
            f"{what} looks like a number to predict, not a class (for example "
            f"{numbers[~np.isnan(numbers) & (numbers != np.trunc(numbers))][:1]}); pass "
            "task='regression' (--task) to learn numbers, or save class names."
        )
    labelled = ~np.isnan(numbers) & (numbers != UNLABELLED)
    whole = y if y.dtype.kind in "iu" else np.where(labelled, numbers, 0)
    return whole.astype(np.int64), labelled


def _check_shape(y: Array, n: int, what: str) -> None:
    if y.ndim != 1:
        raise DataError(
            f"{what} has shape {y.shape}, but labels are one value a row: shape ({n},); "
            "save y.ravel(), or y.argmax(axis=1) if it is one-hot; for several properties of 0 and "
            "1 pass task='multilabel' (--task)."
        )
    if len(y) != n:
        raise DataError(f"{what} has {len(y)} labels for {n} examples; save one label an example.")
