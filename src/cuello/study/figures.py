"""The one style of every figure: labelled axes, colour-blind-safe colours, seeds as a spread.

Colours are those of Okabe and Ito, which all readers tell apart; series differ in marks or dashes
too, so that a figure survives a black-and-white printer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cuello.arrays import Array
from cuello.study.summary import Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "Curve",
    "Published",
    "bands",
    "compare",
    "draw_bands",
    "log_axis",
    "new",
    "save",
]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c8c8c")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (8, 2)))

_STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e4e8ec",
    "legend.frameon": False,
    "figure.dpi": 110,
    "svg.fonttype": "none",
    "svg.hashsalt": "cuello",
}


@dataclass(frozen=True)
class Published:
    """A figure that somebody printed: drawn as an open diamond beside ours.

    ``sd`` is their standard deviation, where they give one.
    """

    value: float
    sd: float | None = None


@dataclass(frozen=True)
class Curve:
    """One line of :func:`bands`: (trials, points) values over x."""

    x: Sequence[float]
    runs: Array


@contextmanager
def new(
    columns: int = 1, rows: int = 1, *, width: float = 7.2, height: float = 4.2, **options: Any
) -> Iterator[tuple[Figure, Any]]:
    """Give a figure in the common style, with its axes: one, or an array of them.

    Examples
    --------
    >>> with new() as (figure, axes):
    ...     _ = axes.plot([0, 1], [1, 0])
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(rows, columns, **options)


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as PNG and as SVG."""
    import matplotlib as mpl

    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_STYLE):
        figure.savefig(folder / f"{name}.png", dpi=150)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


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
        What was measured, by label; drawn from top to bottom.
    unit : str
        Label of the axis, with its unit.
    published : mapping of str to Published
        By the same labels; rows without one have no diamond.
    """
    published = published or {}
    height = 1.3 + 0.42 * len(rows)
    # Long labels take room from the axes, whose own label needs it.
    width = max(7.2, 4.4 + 0.1 * max(map(len, rows), default=0))
    with new(width=width, height=height) as (figure, axes):
        for place, (label, own) in enumerate(rows.items()):
            if own.count:
                axes.errorbar(
                    own.mean,
                    place - 0.08,
                    xerr=own.sd if own.count > 1 else None,
                    fmt="o",
                    color=COLOURS[0],
                    capsize=3,
                )
            there = published.get(label)
            if there is not None:
                axes.errorbar(
                    there.value,
                    place + 0.16,
                    xerr=there.sd,
                    fmt="D",
                    color=COLOURS[1],
                    markerfacecolor="white",
                    capsize=3,
                )
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(unit)
        if log:
            axes.set_xscale("log")
        _add_legend(
            axes, published=bool(published), several=any(s.count > 1 for s in rows.values())
        )
        axes.set_title(title, loc="left")
    return figure


def _add_legend(axes: Axes, *, published: bool, several: bool) -> None:
    from matplotlib.lines import Line2D

    ours = "ours, mean ± sd over seeds" if several else "ours"
    marks = [Line2D([], [], marker="o", linestyle="", color=COLOURS[0], label=ours)]
    if published:
        look: dict[str, Any] = {"marker": "D", "markerfacecolor": "white", "label": "published"}
        marks.append(Line2D([], [], linestyle="", color=COLOURS[1], **look))
    axes.legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=9)


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
    """Draw into axes that are there, as :func:`bands` does."""
    places = np.concatenate(
        [np.asarray(c.x, dtype=np.float64) for c in curves.values()] or [np.empty(0)]
    )
    if all(map(float.is_integer, places)):  # layers, epochs: there is nothing between two of them
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
