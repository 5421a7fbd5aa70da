"""Lines over trials: their mean, and one standard deviation to both sides as a band."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cuello.arrays import Array
from cuello.study.figures import COLOURS, DASHES, MARKS, new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "bands", "draw_bands", "log_axis"]


@dataclass(frozen=True)
class Curve:
    """One line of :func:`bands`: (trials, points) values over x."""

    x: Sequence[float]
    runs: Array


def bands(
    curves: Mapping[str, Curve],
    *,
    x: str,
    y: str,
    title: str = "",
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """Draw means over trials as lines, and one standard deviation to both sides as bands."""
    with new() as (figure, axes):
        draw_bands(axes, curves)
        axes.set(xlabel=x, ylabel=y)
        if log_x and curves:
            log_axis(axes, "x", next(iter(curves.values())).x)
        if log_y:
            log_axis(axes, "y")
        axes.set_title(title, loc="left")
        if len(curves) > 1:
            axes.legend(fontsize=9)
    return figure


def draw_bands(axes: Axes, curves: Mapping[str, Curve]) -> None:
    """Draw into existing axes, as :func:`bands` does."""
    positions = np.concatenate(
        [np.asarray(c.x, dtype=np.float64) for c in curves.values()] or [np.empty(0)]
    )
    if all(
        map(float.is_integer, positions)
    ):  # layers, epochs: there is nothing between two of them
        axes.locator_params(axis="x", integer=True)
    for i, (label, curve) in enumerate(curves.items()):
        runs = np.atleast_2d(np.asarray(curve.runs, dtype=np.float64))
        with warnings.catch_warnings():  # where no trial, or a single one, has a value
            warnings.simplefilter("ignore", RuntimeWarning)
            mean = np.nanmean(runs, axis=0)
            sd = np.nanstd(runs, axis=0, ddof=1) if len(runs) > 1 else np.zeros_like(mean)
        colour, few = COLOURS[i % len(COLOURS)], len(mean) <= 25
        axes.plot(
            curve.x,
            mean,
            color=colour,
            linestyle=DASHES[i % len(DASHES)],
            marker=MARKS[i % len(MARKS)] if few else None,
            markersize=5,
            label=label,
        )
        if len(runs) > 1:
            axes.fill_between(curve.x, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)


def log_axis(axes: Axes, which: str, ticks: Sequence[float] = ()) -> None:
    """Make the axis ``x`` or ``y`` logarithmic, with plain numbers: at these ticks, if up to 8."""
    from matplotlib.ticker import FixedLocator, LogFormatter, NullLocator

    if which == "x":
        axes.set_xscale("log")
    else:
        axes.set_yscale("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    if 0 < len(ticks) <= 8:
        axis.set_major_locator(FixedLocator(list(ticks)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axis.set_major_formatter(LogFormatter())
        axis.set_minor_formatter(LogFormatter())
