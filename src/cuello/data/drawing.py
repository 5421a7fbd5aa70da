"""Random samples to be labelled, or to be treated as the only labelled ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cuello.arrays import Array, Indices
from cuello.data.dataset import labelled_rows
from cuello.data.readers.base import join_names
from cuello.errors import InputError

__all__ = ["draw_any", "draw_by_class"]


def draw_by_class(
    y: npt.ArrayLike, count: int, rng: np.random.Generator, classes: Sequence[str]
) -> Indices:
    """Draw labelled samples, as evenly over the classes as these have samples.

    Each class gives ``count // len(classes)`` samples, random classes one more each; a class with
    fewer gives all it has, and the others share what is missing.

    Parameters
    ----------
    y : array-like of int, shape (n,)
        Codes into ``classes``, -1 where unlabelled.
    count : int
        How many samples, at least one a class.
    rng : numpy.random.Generator
    classes : sequence of str

    Returns
    -------
    ndarray of int, shape (count,)
        Positions in ``y``, ascending.

    Raises
    ------
    InputError
        If there are fewer labelled samples than ``count``, or fewer than one a class.

    Examples
    --------
    >>> y = [0, 0, 0, 0, 1, 1, -1, -1]
    >>> chosen = draw_by_class(y, 4, np.random.default_rng(0), ["cat", "dog"])
    >>> np.bincount(np.array(y)[chosen])
    array([2, 2])
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
            f"no row is labelled {join_names(map(repr, without))} among those to draw from; every "
            "class needs at least one."
        )
    _check_count(count, sum(map(len, members)))
    shares = _even_shares(count, [len(rows) for rows in members], rng)
    chosen = [
        rng.choice(rows, size=share, replace=False)
        for rows, share in zip(members, shares, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def draw_any(y: Array, count: int, rng: np.random.Generator, *, fewest: int) -> Indices:
    """Draw labelled samples, where labels are no classes.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, properties)
        NaN where unlabelled.
    count : int
        How many samples, at least ``fewest``.
    rng : numpy.random.Generator
    fewest : int
        How many are needed to learn from.

    Examples
    --------
    >>> draw_any(np.array([0.5, np.nan, 2.0]), 2, np.random.default_rng(0), fewest=2)
    array([0, 2])
    """
    rows = np.flatnonzero(labelled_rows(y))
    if count < fewest:
        raise InputError(f"{count} labels are too few to learn from; draw {fewest} or more.")
    _check_count(count, len(rows))
    return np.sort(rng.choice(rows, size=count, replace=False))


def _check_count(count: int, labelled: int) -> None:
    if count > labelled:
        raise InputError(
            f"{count} labels were asked for, but only {labelled} rows have one; draw {labelled} "
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
