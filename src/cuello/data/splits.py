"""Train, validation and test samples: stratified, seeded, never overlapping."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from cuello.arrays import Array, Codes, Indices
from cuello.data.dataset import Dataset
from cuello.errors import Argument, CuelloWarning, InputError

__all__ = ["Split", "make_split", "plain_folds", "split_arrays", "stratified_folds"]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Positions of the training, validation and test samples of a data set.

    ``test`` is None where the set has an official test split, which is then used whole.
    """

    train: Indices
    validation: Indices
    test: Indices | None


def make_split(
    data: Dataset, *, validation: float = 0.1, test: float = 0.2, random_state: int = 0
) -> Split:
    """Divide the samples, a class at a time where classes are known.

    Where labels are no classes, samples with and without a label are divided alike.

    Parameters
    ----------
    data : Dataset
        An official test split (``data.X_test``) is kept as it is.
    validation, test : float
        Shares of the samples, in (0, 1); ``test`` is not used where there is an official split.
    random_state : int
        Same seed, same split.

    Raises
    ------
    InputError
        If a share is not between 0 and 1, or a split would be empty.

    Examples
    --------
    >>> rows = make_split(Dataset(X=np.zeros((10, 2)), name="toy", source="memory"))
    >>> len(rows.train), len(rows.validation), len(rows.test)
    (7, 1, 2)
    """
    share_test = 0.0 if data.X_test is not None else test
    for name, share in {"validation": validation, "test": test}.items():
        if not 0.0 < share < 1.0:
            raise InputError(argument=name, value=share, allowed="a share between 0 and 1")
    if validation + share_test >= 1.0:
        raise InputError(
            ("and ", Argument("test", test), " leave nothing to train on"),
            argument="validation",
            value=validation,
            remedy="their sum must be below 1",
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
    cuts = np.split(ranked, [n_test, n_test + n_validation])
    needed = {"test": share_test > 0, "validation": True, "train": True}
    rows = {name: np.sort(cut).astype(np.int64) for name, cut in zip(needed, cuts, strict=True)}
    empty = [name for name in needed if needed[name] and not len(rows[name])]
    if empty:
        raise InputError(
            f"{data.source}: {len(data)} rows are too few for a {' and a '.join(empty)} split; "
            "bring more rows, at least 10."
        )
    test_rows = rows["test"] if data.X_test is None else None
    return Split(train=rows["train"], validation=rows["validation"], test=test_rows)


def split_arrays(data: Dataset, rows: Indices | None) -> tuple[Array, Array | None]:
    """Return the samples and labels of a split; None is the official test split."""
    if rows is None:
        assert data.X_test is not None
        return data.X_test, data.y_test
    return data.X[rows], None if data.y is None else data.y[rows]


def stratified_folds(y: Codes, cv: int, seed: int) -> list[tuple[Indices, Indices]]:
    """Return stratified folds as (train, held out); none, with a warning, if a class has one label.

    Examples
    --------
    >>> y = np.array([0, 0, 0, 1, 1, 1])
    >>> [len(held_out) for _, held_out in stratified_folds(y, 3, seed=0)]
    [2, 2, 2]
    """
    fewest = int(np.bincount(y).min())
    if fewest < 2:
        _warn_no_folds("a class has a single label", "accuracy", "two samples of every class")
        return []
    folds = StratifiedKFold(min(cv, fewest), shuffle=True, random_state=seed)
    return list(folds.split(np.zeros(len(y)), y))


def plain_folds(n: int, cv: int, seed: int) -> list[tuple[Indices, Indices]]:
    """Return folds of two or more as (train, held out); none, with a warning, if n is below 4.

    Examples
    --------
    >>> [len(held_out) for _, held_out in plain_folds(7, 5, seed=0)]
    [3, 2, 2]
    """
    if n < 4:
        _warn_no_folds(f"there are only {n} labels", "score", "four samples or more")
        return []
    return list(KFold(min(cv, n // 2), shuffle=True, random_state=seed).split(np.zeros(n)))


def _warn_no_folds(why: str, estimate: str, label: str) -> None:
    warnings.warn(
        f"{why}, so nothing can be held out to compare options: the middle one is taken, and no "
        f"{estimate} is estimated; label {label}.",
        CuelloWarning,
        stacklevel=3,
    )
