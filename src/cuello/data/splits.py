"""Samples for training, validation and test, for folds, and random ones to be labelled."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, StratifiedKFold

from cuello.arrays import Array, Codes, Indices
from cuello.data.dataset import Dataset, labelled_rows
from cuello.data.readers.base import join_names
from cuello.errors import Argument, CuelloWarning, InputError

__all__ = [
    "Split",
    "draw_any",
    "draw_by_class",
    "make_split",
    "plain_folds",
    "split_arrays",
    "stratified_folds",
]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Positions of the samples of each split; ``test`` is None if the set has an official one."""

    train: Indices
    validation: Indices
    test: Indices | None


def make_split(
    data: Dataset, *, validation: float = 0.1, test: float = 0.2, random_state: int = 0
) -> Split:
    """Divide the samples, stratified by class; without classes, by whether there is a label.

    ``validation`` and ``test`` are shares of the samples, in (0, 1). An official test split
    (``data.X_test``) is kept as it is, and ``test`` not used.
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
    # Sample i of its class gets the rank (i + u) / class size, with one random u in [0, 1) a class:
    # cutting all samples by rank takes the same share of every class, and exactly the asked number
    # over all of them.
    by_class = order[np.argsort(groups[order], kind="stable")]
    sizes = np.unique(groups, return_counts=True)[1]
    rank = np.concatenate([(np.arange(size) + rng.random()) / size for size in sizes])
    ranked = by_class[np.argsort(rank, kind="stable")]
    n_test, n_validation = round(len(data) * share_test), round(len(data) * validation)
    cuts = np.split(ranked, [n_test, n_test + n_validation])
    needed = {"test": share_test > 0, "validation": True, "train": True}
    splits = {name: np.sort(cut).astype(np.int64) for name, cut in zip(needed, cuts, strict=True)}
    empty = [name for name in needed if needed[name] and not len(splits[name])]
    if empty:
        raise InputError(
            f"{data.source}: {len(data)} samples are too few for a {' and a '.join(empty)} split; "
            "bring more samples, at least 10."
        )
    in_test = splits["test"] if data.X_test is None else None
    return Split(train=splits["train"], validation=splits["validation"], test=in_test)


def split_arrays(data: Dataset, rows: Indices | None) -> tuple[Array, Array | None]:
    """Return the samples and labels of a split; None is the official test split."""
    if rows is None:
        assert data.X_test is not None
        return data.X_test, data.y_test
    return data.X[rows], None if data.y is None else data.y[rows]


def stratified_folds(y: Codes, cv: int, seed: int) -> list[tuple[Indices, Indices]]:
    """Return stratified folds, (train, held out); none if a class has one label: a warning."""
    fewest = int(np.bincount(y).min())
    if fewest < 2:
        _warn_no_folds("a class has a single label", "accuracy", "two samples of every class")
        return []
    folds = StratifiedKFold(min(cv, fewest), shuffle=True, random_state=seed)
    return list(folds.split(np.zeros(len(y)), y))


def plain_folds(n: int, cv: int, seed: int) -> list[tuple[Indices, Indices]]:
    """Return folds of two or more as (train, held out); none, with a warning, if n is below 4."""
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


def draw_by_class(
    y: npt.ArrayLike, count: int, rng: np.random.Generator, classes: Sequence[str]
) -> Indices:
    """Draw labelled samples, as evenly over the classes as these have samples.

    A class with fewer than its share gives all it has, and the others share what is missing.
    Returns ascending positions in ``y``, which holds indices of ``classes``, -1 where unlabelled.
    """
    codes = np.asarray(y)
    members = [np.flatnonzero(codes == code) for code in range(len(classes))]
    if count < max(1, len(classes)):
        raise InputError(
            f"{count} labels are too few for {len(classes)} classes; draw at least one a class: "
            f"{len(classes)} or more."
        )
    without = [name for name, rows in zip(classes, members, strict=True) if not len(rows)]
    if without:
        raise InputError(
            f"no sample is labelled {join_names(map(repr, without))} among those to draw from; "
            "every class needs at least one."
        )
    _check_count(count, sum(map(len, members)))
    shares = _even_shares(count, [len(rows) for rows in members], rng)
    chosen = [
        rng.choice(rows, size=share, replace=False)
        for rows, share in zip(members, shares, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def draw_any(y: Array, count: int, rng: np.random.Generator, *, fewest: int) -> Indices:
    """Draw labelled samples, where labels are no classes; ``fewest`` are needed to learn from."""
    rows = np.flatnonzero(labelled_rows(y))
    if count < fewest:
        raise InputError(f"{count} labels are too few to learn from; draw {fewest} or more.")
    _check_count(count, len(rows))
    return np.sort(rng.choice(rows, size=count, replace=False))


def _check_count(count: int, labelled: int) -> None:
    if count > labelled:
        raise InputError(
            f"{count} labels were asked for, but only {labelled} samples have one; draw {labelled} "
            "or fewer."
        )


def _even_shares(count: int, available: list[int], rng: np.random.Generator) -> list[int]:
    shares = [0] * len(available)
    left = count
    while left:
        open_ = [i for i, n in enumerate(available) if shares[i] < n]
        even = left // len(open_)
        chosen = open_ if even else rng.choice(open_, size=left, replace=False).tolist()
        for i in chosen:
            more = min(max(even, 1), available[i] - shares[i])
            shares[i] += more
            left -= more
    return shares
