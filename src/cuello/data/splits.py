"""Train, validation and test rows: stratified, seeded, never overlapping."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, StratifiedKFold

from cuello.data.dataset import Dataset
from cuello.errors import CuelloWarning, InputError

__all__ = ["Split", "folds", "part", "split"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which rows of a data set are for what.

    ``test`` is None where the set has an official test part, which is then used whole.
    """

    train: Rows
    validation: Rows
    test: Rows | None


def split(
    data: Dataset, *, validation: float = 0.1, test: float = 0.2, random_state: int = 0
) -> Split:
    """Divide the rows, a class at a time where classes are known.

    Where labels are no classes, rows with and without a label are divided alike.

    Parameters
    ----------
    data : Dataset
        An official test part (``data.X_test``) is kept as it is.
    validation, test : float
        Shares of the rows, in (0, 1); ``test`` is not used where there is an official part.
    random_state : int
        Same seed, same rows.

    Raises
    ------
    InputError
        If a share is not between 0 and 1, or a part would be left empty.

    Examples
    --------
    >>> rows = split(Dataset(X=np.zeros((10, 2)), name="toy", source="here"))
    >>> len(rows.train), len(rows.validation), len(rows.test)
    (7, 1, 2)
    """
    share_test = 0.0 if data.X_test is not None else test
    for name, share in {"validation": validation, "test": test}.items():
        if not 0.0 < share < 1.0:
            raise InputError(f"{name}={share} is not a share of the rows; use one between 0 and 1.")
    if validation + share_test >= 1.0:
        raise InputError(
            f"validation={validation} and test={test} leave nothing to train on; "
            "their sum must be below 1."
        )
    rng = np.random.default_rng(random_state)
    has_classes = data.y is not None and data.task == "multiclass"
    groups = data.y if has_classes else data.labelled.astype(np.int64)
    assert groups is not None
    order = rng.permutation(len(data))
    # Row i of its class gets the rank (i + u) / class size, with one random u in [0, 1) a class:
    # cutting all rows by rank takes the same share of every class, and exactly the asked number of
    # rows over all of them.
    by_class = order[np.argsort(groups[order], kind="stable")]
    sizes = np.unique(groups, return_counts=True)[1]
    rank = np.concatenate([(np.arange(size) + rng.random()) / size for size in sizes])
    ranked = by_class[np.argsort(rank, kind="stable")]
    n_test, n_validation = round(len(data) * share_test), round(len(data) * validation)
    parts = np.split(ranked, [n_test, n_test + n_validation])
    empty = [
        name
        for name, rows, needed in zip(
            ("test", "validation", "train"), parts, (share_test > 0, True, True), strict=True
        )
        if needed and len(rows) == 0
    ]
    if empty:
        raise InputError(
            f"{data.source}: {len(data)} rows are too few for a {' and a '.join(empty)} part; "
            "bring more rows, at least 10."
        )
    test_rows, validation_rows, train_rows = (np.sort(rows).astype(np.int64) for rows in parts)
    return Split(
        train=train_rows,
        validation=validation_rows,
        test=test_rows if data.X_test is None else None,
    )


def part(data: Dataset, rows: Rows | None) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Return the examples and labels of a part; None is the official test part."""
    if rows is None:
        assert data.X_test is not None
        return data.X_test, data.y_test
    return data.X[rows], None if data.y is None else data.y[rows]


def folds(y: Rows, cv: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Return stratified folds as (train, held out); none, with a warning, if a class has one label.

    Examples
    --------
    >>> [len(held_out) for _, held_out in folds(np.array([0, 0, 0, 1, 1, 1]), 3, seed=0)]
    [2, 2, 2]
    """
    fewest = int(np.bincount(y).min())
    if fewest < 2:
        warnings.warn(
            "a class has a single label, so nothing can be held out to compare options: the "
            "middle one is taken, and no accuracy is estimated; label two rows of every class.",
            CuelloWarning,
            stacklevel=2,
        )
        return []
    parts = StratifiedKFold(min(cv, fewest), shuffle=True, random_state=seed)
    return list(parts.split(np.zeros(len(y)), y))


def plain_folds(n: int, cv: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Return folds of two rows or more as (train, held out); none, with a warning, if n is below 4.

    Examples
    --------
    >>> [len(held_out) for _, held_out in plain_folds(7, 5, seed=0)]
    [3, 2, 2]
    """
    if n < 4:
        warnings.warn(
            f"{n} labelled rows are too few to hold some out and compare options: the middle one "
            "is taken, and no score is estimated; label four rows or more.",
            CuelloWarning,
            stacklevel=2,
        )
        return []
    parts = KFold(min(cv, n // 2), shuffle=True, random_state=seed)
    return list(parts.split(np.zeros(n)))
