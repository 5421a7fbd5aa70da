"""The figure of a study: its measure over what varied."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cuello.study import figures
from cuello.study.combinations import Combination, option_text
from cuello.study.study import MEASURES, Study
from cuello.study.summary import Spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_study"]

_LINES_SHOWN = 30  # of a figure with a line a combination


def draw_study(study: Study, rows: Sequence[Combination]) -> Figure:
    """Draw what was measured: over a number as lines, over anything else a row each."""
    unit = MEASURES[study.measure]
    if study.search:
        return _draw_search(study, rows, unit)
    names = list(study.grid)
    numeric = [n for n in names if len(study.grid[n]) > 1 and all(map(_is_numeric, study.grid[n]))]
    if numeric and len(names) <= 2:
        return _draw_lines(study, rows, numeric[0], unit)
    labelled = {
        ", ".join(f"{k} {option_text(v)}" for k, v in row.varied.items()): row.measured[
            study.measure
        ]
        for row in rows[:_LINES_SHOWN]
    }
    return figures.compare(labelled, unit=unit)


def _draw_lines(study: Study, rows: Sequence[Combination], x: str, unit: str) -> Figure:
    points = sorted(set(study.grid[x]))
    others = [name for name in study.grid if name != x]
    curves: dict[str, dict[Any, Spread]] = {}
    for row in rows:
        label = ", ".join(f"{name} {option_text(row.varied[name])}" for name in others)
        curves.setdefault(label, {})[row.varied[x]] = row.measured[study.measure]
    with figures.new() as (figure, axes):
        for i, (label, own) in enumerate(sorted(curves.items())):
            axes.errorbar(
                points,
                [own[p].mean for p in points],
                yerr=[own[p].sd for p in points],
                color=figures.COLOURS[i % len(figures.COLOURS)],
                marker=figures.MARKS[i % len(figures.MARKS)],
                linestyle=figures.DASHES[i % len(figures.DASHES)],
                capsize=3,
                label=label,
            )
        if points[0] > 0 and points[-1] / points[0] >= 20:
            axes.set_xscale("log")
        axes.set(xlabel=x.replace("_", " "), ylabel=textwrap.fill(unit, 40))
        if others:
            axes.legend(fontsize=9)
    return figure


def _draw_search(study: Study, rows: Sequence[Combination], unit: str) -> Figure:
    """Draw each trial over each option."""
    names = list(study.search)
    with figures.new(len(names), width=max(4.8, 3.2 * len(names)), sharey=True, squeeze=False) as (
        figure,
        axes,
    ):
        finished = [row for row in rows if row.measured[study.measure].count]
        for place, name in enumerate(names):
            own = axes[0][place]
            found = [row.varied[name] for row in finished]
            x = found if all(map(_is_numeric, found)) else [option_text(value) for value in found]
            y = [row.measured[study.measure].mean for row in finished]
            own.plot(x, y, "o", color=figures.COLOURS[0], alpha=0.5)
            if finished:
                own.plot(x[:1], y[:1], "D", color=figures.COLOURS[1], markersize=9, label="best")
            if study.search[name].log:
                own.set_xscale("log")
            own.set_xlabel(name.replace("_", " "))
        axes[0][0].set_ylabel(textwrap.fill(unit, 40))
        if finished:
            axes[0][0].legend(fontsize=9)
    return figure


def _is_numeric(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
