"""Measured means beside published ones, and whether two of them differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scipy import stats

from cuello.study.figures import COLOURS, spread_axes
from cuello.study.summary import Spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Published", "compare", "sign_of_difference"]


@dataclass(frozen=True)
class Published:
    """A published figure, drawn as an open diamond beside ours.

    ``sd`` is their standard deviation, where they give one.
    """

    value: float
    sd: float | None = None


def compare(
    rows: Mapping[str, Spread],
    *,
    unit: str,
    published: Mapping[str, Published] | None = None,
    title: str = "",
    log: bool = False,
) -> Figure:
    """Draw one line a row: our mean with its standard deviation, and the published figure.

    Parameters
    ----------
    rows : mapping of str to Spread
        Measurements by label, drawn from top to bottom.
    unit : str
        Label of the axis, with its unit.
    published : mapping of str to Published
        By the same labels; rows without one have no diamond.
    """
    published = published or {}
    diamond: dict[str, Any] = {"color": COLOURS[1], "marker": "D", "markerfacecolor": "white"}
    with spread_axes(rows, unit) as (figure, axes):
        for position, label in enumerate(rows):
            if label in published:
                x, sd = published[label].value, published[label].sd
                axes.errorbar(x, position + 0.16, xerr=sd, linestyle="", capsize=3, **diamond)
        if published:
            axes.plot([], [], linestyle="", label="published", **diamond)
        if log:
            axes.set_xscale("log")
        axes.set_title(title, loc="left")
    return figure


def sign_of_difference(a: Spread, b: Spread) -> int:
    """Return 1 if the mean of ``a`` is above that of ``b``, -1 if below, 0 if noise hides it.

    Welch's t-test at 5 %. Single values, which have no deviation, count as exact.

    Examples
    --------
    >>> from cuello.study import spread
    >>> low, high = spread([1.0, 2.0, 3.0]), spread([7.0, 8.0, 9.0])
    >>> sign_of_difference(low, high), sign_of_difference(high, low)
    (-1, 1)
    >>> sign_of_difference(low, spread([1.5, 2.5, 3.5]))
    0
    """
    if not (a.count and b.count):
        return 0
    difference = a.mean - b.mean
    squares = [(s.standard_error**2, s.count) for s in (a, b)]
    error = math.sqrt(sum(square for square, _ in squares))
    if error > 0.0:
        freedom = error**4 / sum(square**2 / (n - 1) for square, n in squares if n > 1)
        if abs(difference) <= float(stats.t.ppf(0.975, freedom)) * error:
            return 0
    return (difference > 0) - (difference < 0)
