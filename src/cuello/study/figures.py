"""Figures in one style, and the pages of studies and labs, one file each that opens offline.

Colours are those of Okabe and Ito; marks and dashes differ too, for a black-and-white printer.
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cuello.formats import MISSING, number_text
from cuello.report.assets import draw, text_of
from cuello.study.study import Study
from cuello.study.summary import Combination, Spread, option_text
from cuello.study.trials import MEASURES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "DASHES",
    "MARKS",
    "Picture",
    "Table",
    "draw_document",
    "draw_study",
    "new",
    "picture_uri",
    "save",
    "spread_axes",
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
_LINES_SHOWN = 30  # of a figure with a line a combination


@contextmanager
def new(
    columns: int = 1, rows: int = 1, *, width: float = 7.2, height: float = 4.2, **options: Any
) -> Iterator[tuple[Figure, Any]]:
    """Yield a figure in the common style, with its axes: one, or an array of them."""
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


@contextmanager
def spread_axes(rows: Mapping[str, Spread], unit: str) -> Iterator[tuple[Figure, Any]]:
    """Yield a figure with one line a row, mean and standard deviation in a unit, and its axes."""
    from matplotlib.lines import Line2D

    # Long labels take room from the axes, whose own label needs it.
    width = max(7.2, 4.4 + 0.1 * max(map(len, rows), default=0))
    with new(width=width, height=1.3 + 0.42 * len(rows)) as (figure, axes):
        for position, row in enumerate(rows.values()):
            sd = row.sd if row.count > 1 else None
            look: dict[str, Any] = {"fmt": "o", "color": COLOURS[0], "capsize": 3}
            if row.count:
                axes.errorbar(row.mean, position - 0.08, xerr=sd, **look)
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(unit)
        yield figure, axes
        repeated = any(row.count > 1 for row in rows.values())
        label = "ours, mean ± sd over seeds" if repeated else "ours"
        ours = Line2D([], [], marker="o", linestyle="", color=COLOURS[0], label=label)
        marks = [ours, *axes.get_legend_handles_labels()[0]]
        axes.legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=9)


def draw_study(study: Study, rows: Sequence[Combination]) -> Figure:
    """Draw the measure of a study: over a number as lines, over anything else a row each."""
    if study.search:
        return _draw_search(study, rows)
    names = list(study.grid)
    numeric = [n for n in names if len(study.grid[n]) > 1 and all(map(_is_numeric, study.grid[n]))]
    if numeric and len(names) <= 2:
        return _draw_lines(study, rows, numeric[0])
    labelled = {_label(row, names): row.measured[study.measure] for row in rows[:_LINES_SHOWN]}
    with spread_axes(labelled, MEASURES[study.measure]) as (figure, _):
        return figure


def _draw_lines(study: Study, rows: Sequence[Combination], x: str) -> Figure:
    points = sorted(set(study.grid[x]))
    others = [name for name in study.grid if name != x]
    curves: dict[str, dict[Any, Spread]] = {}
    for row in rows:
        curves.setdefault(_label(row, others), {})[row.varied[x]] = row.measured[study.measure]
    with new() as (figure, axes):
        for i, (label, curve) in enumerate(sorted(curves.items())):
            axes.errorbar(
                points,
                [curve[p].mean for p in points],
                yerr=[curve[p].sd for p in points],
                color=COLOURS[i % len(COLOURS)],
                marker=MARKS[i % len(MARKS)],
                linestyle=DASHES[i % len(DASHES)],
                capsize=3,
                label=label,
            )
        if points[0] > 0 and points[-1] / points[0] >= 20:
            axes.set_xscale("log")
        axes.set(xlabel=x.replace("_", " "), ylabel=textwrap.fill(MEASURES[study.measure], 40))
        if others:
            axes.legend(fontsize=9)
    return figure


def _draw_search(study: Study, rows: Sequence[Combination]) -> Figure:
    """Draw each trial over each option."""
    finished = [row for row in rows if row.measured[study.measure].count]
    y = [row.measured[study.measure].mean for row in finished]
    width = max(4.8, 3.2 * len(study.search))
    with new(len(study.search), width=width, sharey=True, squeeze=False) as (figure, axes):
        panels = axes[0]
        for panel, (name, searched) in zip(panels, study.search.items(), strict=True):
            x = [row.varied[name] for row in finished]
            x = x if all(map(_is_numeric, x)) else [option_text(value) for value in x]
            panel.plot(x, y, "o", color=COLOURS[0], alpha=0.5)
            if finished:
                panel.plot(x[:1], y[:1], "D", color=COLOURS[1], markersize=9, label="best")
            if searched.log:
                panel.set_xscale("log")
            panel.set_xlabel(name.replace("_", " "))
        panels[0].set_ylabel(textwrap.fill(MEASURES[study.measure], 40))
        if finished:
            panels[0].legend(fontsize=9)
    return figure


def _label(row: Combination, names: Sequence[str]) -> str:
    return ", ".join(f"{name} {option_text(row.varied[name])}" for name in names)


def _is_numeric(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table on the page: title, heads with units, cells (None is –), and a sentence below."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def texts(self) -> list[tuple[str, list[str]]]:
        """Return the first cell of each row, and the others, as texts."""
        return [(_cell_text(name), list(map(_cell_text, values))) for name, *values in self.rows]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure on the page, kept as PNG and SVG, and its description in words."""

    name: str
    caption: str
    figure: Figure


def picture_uri(picture: Picture, figures: Path) -> str:
    """Return a figure that was saved in a folder as a data URI, to be put inside a page."""
    content = (figures / f"{picture.name}.png").read_bytes()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def draw_document(template: str, title: str, **values: object) -> str:
    """Draw a whole page by a template that extends ``cuello.study/document.html``."""
    style = Markup(
        "".join(text_of("page.css", package) for package in ("cuello.report", "cuello.study"))
    )
    return draw(template, title=title, style=style, **values) + "\n"


def _cell_text(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, Spread):
        return str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number_text(value) if isinstance(value, float) else str(value)
