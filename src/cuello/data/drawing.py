"""Which rows to label, or to pretend are the only labelled ones: evenly over classes, or any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.data.dataset import labelled_rows
from cuello.data.readers.base import listed
from cuello.errors import InputError

__all__ = ["draw", "draw_any"]


def draw(
    y: npt.ArrayLike, count: int, rng: np.random.Generator, classes: Sequence[str]
) -> npt.NDArray[np.intp]:
    """Draw labelled rows at random, as evenly over the classes as there are rows.

    Each class gives ``count // len(classes)`` rows, random classes one more each; a class with
    fewer rows gives all it has, and the others share what is missing.

    Parameters
    ----------
    y : array-like of int, shape (n,)
        Codes into ``classes``, -1 where unlabelled.
    count : int
        How many rows, at least one a class.
    rng : numpy.random.Generator
    classes : sequence of str

    Returns
    -------
    ndarray of int, shape (count,)
        Positions in ``y``, ascending.

    Raises
    ------
    InputError
        If there are fewer labelled rows than ``count``, or fewer than one a class.

    Examples
    --------
    >>> y = [0, 0, 0, 0, 1, 1, -1, -1]
    >>> chosen = draw(y, 4, np.random.default_rng(0), ["cat", "dog"])
    >>> np.bincount(np.array(y)[chosen])
    array([2, 2])
    """
    codes = np.asarray(y)
    rows = [np.flatnonzero(codes == code) for code in range(len(classes))]
    _check_draw(count, rows, classes)
    shares = _shares(count, [len(members) for members in rows], rng)
    chosen = [
        rng.choice(members, size=share, replace=False)
        for members, share in zip(rows, shares, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def draw_any(
    y: npt.NDArray[Any], count: int, rng: np.random.Generator, *, fewest: int
) -> npt.NDArray[np.intp]:
    """Draw labelled rows at random, where labels are no classes.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, properties)
        NaN where unlabelled.
    count : int
        How many rows.
    rng : numpy.random.Generator
    fewest : int
        How many are needed to learn from.

    Returns
    -------
    ndarray of int, shape (count,)
        Positions in ``y``, ascending.

    Raises
    ------
    InputError
        If there are fewer labelled rows than ``count``, or ``count`` is below ``fewest``.

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


def _check_draw(count: int, rows: list[npt.NDArray[np.intp]], classes: Sequence[str]) -> None:
    labelled = sum(map(len, rows))
    without = [name for name, members in zip(classes, rows, strict=True) if not len(members)]
    if count < max(1, len(classes)):
        raise InputError(
            f"{count} labels are too few for {len(classes)} classes; draw at least one a class: "
            f"{len(classes)} or more."
        )
    if without:
        raise InputError(
            f"no row is labelled {listed(map(repr, without))} among those to draw from; every "
            "class needs at least one."
        )
    _check_count(count, labelled)


def _check_count(count: int, labelled: int) -> None:
    if count > labelled:
        raise InputError(
            f"{count} labels were asked for, but only {labelled} rows have one; draw {labelled} "
            "or fewer."
        )


def _shares(count: int, available: list[int], rng: np.random.Generator) -> list[int]:
    shares = [0] * len(available)
    left = count
    while left:
        open_ = [i for i, n in enumerate(available) if shares[i] < n]
        even = left // len(open_)
        chosen = open_ if even else rng.choice(open_, size=left, replace=False).tolist()
        for i in chosen:
            given = min(max(even, 1), available[i] - shares[i])
            shares[i] += given
            left -= given
    return shares
