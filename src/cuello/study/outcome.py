"""What a study ends in: one table, one figure, one page; and the best trial as a normal run."""

from __future__ import annotations

import csv
import json
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cuello import atomic
from cuello.errors import InputError, RunError
from cuello.report.fragments import esc
from cuello.study import figures
from cuello.study.page import Picture, Table, document, draw_picture, draw_protocol, draw_table
from cuello.study.search import run_search
from cuello.study.study import MEASURES, Study, estimator_options
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Record, run_trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cuello.run.folder import RunFolder

__all__ = ["Row", "best_of", "check_choice", "option_text", "refit", "run_study"]

_SHOWN = 30  # rows of a figure with a line a combination


@dataclass(frozen=True)
class Row:
    """One combination of options: what varies of it, and what was measured over its seeds."""

    options: dict[str, Any]
    varied: dict[str, Any]
    measured: dict[str, Spread]
    diverged: int
    pruned: bool = False


def run_study(
    study: Study,
    folder: Path,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Run the trials that are missing, and write table, figure and page.

    Parameters
    ----------
    study : Study
        What to do.
    folder : Path
        Gets ``trials.jsonl`` (a grid) or ``journal.log`` (a search), ``table.csv``, ``study.json``,
        ``figures/`` and ``index.html``.
    workers : int
        Processes of a search.
    progress, say : callable
        Told trials done and all trials; told what a user should know.

    Returns
    -------
    list of Row
        The best first.

    Raises
    ------
    CuelloError
        If data or options cannot be used, before anything is trained; or the folder cannot be
        written.
    """
    prepared = study.prepare()
    if study.grid:
        records = run_trials(
            folder / "trials.jsonl",
            study.grid_trials(),
            lambda missing: study.run(missing, prepared, say=say),
            progress,
        )
    else:
        records = run_search(study, prepared, folder, workers=workers, progress=progress)
    rows = summarise(study, records)
    try:
        _write(study, rows, folder)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written ({error.strerror or error}); finished trials are kept; "
            "make room, or write elsewhere with --out, and start again."
        ) from error
    return rows


def summarise(study: Study, records: Sequence[Record]) -> list[Row]:
    """Return a row for every combination, the best first."""
    names = list(study.grid or study.search)
    grouped = list(group(records, *names).values())
    if study.search:
        grouped = [[record] for record in records]
    rows = [
        Row(
            options=dict(own[0]["options"]),
            varied={name: own[0]["options"][name] for name in names},
            measured={name: spread(values(own, name)) for name in MEASURES},
            diverged=sum(bool(record.get("diverged")) for record in own),
            pruned=all(record.get("pruned", False) for record in own),
        )
        for own in grouped
    ]
    sign = -1.0 if study.maximise else 1.0
    return sorted(rows, key=lambda row: _last_if_nan(sign * row.measured[study.measure].mean))


def best_of(study: Study, rows: Sequence[Row]) -> Row:
    """Return the best row.

    Raises
    ------
    InputError
        If the measure is one of test rows, which must not choose.
    RunError
        If nothing could be measured.
    """
    check_choice(study)
    if not rows or not rows[0].measured[study.measure].count:
        raise RunError(
            f"no trial has a finite {study.measure}, so none is the best; look at learning_rate, "
            "or choose another measure."
        )
    return rows[0]


def check_choice(study: Study) -> None:
    """Refuse to choose by a measure of test rows."""
    if study.measure.startswith("test"):
        raise InputError(
            f"measure={study.measure!r}: the best cannot be chosen on test rows, which then say "
            "nothing about new ones; use measure='validation_mse'."
        )


def refit(study: Study, row: Row, out: Path, *, overwrite: bool = False) -> RunFolder:
    """Train with the options of a row as a normal run, on the same split of the data."""
    from cuello.run import Job, start

    job = Job.of(
        data=study.data,
        labels=study.labels,
        validation=study.validation,
        test=study.test,
        seed=study.split_seed,
        **estimator_options(row.options),
    )
    return start(job, out, overwrite=overwrite)


def _last_if_nan(value: float) -> float:
    return value if np.isfinite(value) else np.inf


def _write(study: Study, rows: list[Row], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(folder / "study.json", json.dumps(study.to_json(), indent=2).encode())
    atomic.write(folder / "table.csv", lambda path: _write_table(study, rows, path))
    picture = Picture(name="study", caption=_caption(study), figure=draw(study, rows))
    figures.save(picture.figure, folder / "figures", picture.name)
    names = list(study.grid or study.search)
    shown = [m for m in MEASURES if any(row.measured[m].count for row in rows)]
    table = Table(
        title="Every combination, the best first" if study.grid else "Every trial, the best first",
        columns=[*(names or ["options"]), "seeds", *(m.replace("_", " ") for m in shown)],
        rows=[
            (
                *(option_text(row.varied[name]) for name in names),
                _count(row, study),
                *(row.measured[m] for m in shown),
            )
            for row in rows
        ],
        note="Mean ± standard deviation over seeds; table.csv has the confidence intervals. "
        f"The order is by {MEASURES[study.measure]}.",
    )
    protocol = {
        "data": study.data,
        "fixed": ", ".join(f"{k} {option_text(v)}" for k, v in study.options.items()) or "defaults",
        "seeds": str(study.seeds),
        "split": f"{study.validation:g} of the rows validate, {study.test:g} test where there is "
        f"no test part; seed {study.split_seed}, the same for all trials",
    }
    page = document(
        f"Study of {study.data}",
        [
            f"<h1>Study of {esc(study.data)}: {esc(', '.join(names))}</h1>",
            draw_picture(picture, folder / "figures"),
            draw_table(table),
            "<h2>Protocol</h2>",
            draw_protocol(protocol),
        ],
    )
    atomic.write_bytes(folder / "index.html", page.encode())


def _count(row: Row, study: Study) -> str:
    if row.pruned:
        return "diverged" if row.diverged else "stopped early"
    count = row.measured[study.measure].count if study.grid else study.seeds
    return f"{count}" + (f" ({row.diverged} diverged)" if row.diverged else "")


def _write_table(study: Study, rows: Sequence[Row], path: Path) -> None:
    names = list(study.grid or study.search)
    statistics = ("mean", "sd", "low", "high")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        heads = [f"{m}_{s}" for m in MEASURES for s in statistics]
        writer.writerow([*names, "seeds", "diverged", *heads])
        for row in rows:
            numbers = [getattr(row.measured[m], s) for m in MEASURES for s in statistics]
            varied = [option_text(row.varied[name]) for name in names]
            count = row.measured[study.measure].count
            writer.writerow(
                [*varied, count, row.diverged, *("" if np.isnan(n) else repr(n) for n in numbers)]
            )


def _caption(study: Study) -> str:
    over = f"{study.seeds} seeds" if study.seeds > 1 else "one seed"
    return f"{MEASURES[study.measure][0].upper()}{MEASURES[study.measure][1:]}; {over} each."


def draw(study: Study, rows: Sequence[Row]) -> Figure:
    """Draw what was measured: over a number as lines, over anything else a row each."""
    unit = MEASURES[study.measure]
    if study.search:
        return _draw_search(study, rows, unit)
    names = list(study.grid)
    numeric = [n for n in names if len(study.grid[n]) > 1 and all(map(_is_number, study.grid[n]))]
    if numeric and len(names) <= 2:
        return _draw_lines(study, rows, numeric[0], unit)
    labelled = {
        ", ".join(f"{k} {option_text(v)}" for k, v in row.varied.items()): row.measured[
            study.measure
        ]
        for row in rows[:_SHOWN]
    }
    return figures.compare(labelled, unit=unit)


def _draw_lines(study: Study, rows: Sequence[Row], x: str, unit: str) -> Figure:
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
        axes.set(xlabel=x.replace("_", " "), ylabel=unit)
        if others:
            axes.legend(fontsize=9)
    return figure


def _draw_search(study: Study, rows: Sequence[Row], unit: str) -> Figure:
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
            x = found if all(map(_is_number, found)) else [option_text(value) for value in found]
            y = [row.measured[study.measure].mean for row in finished]
            own.plot(x, y, "o", color=figures.COLOURS[0], alpha=0.5)
            if finished:
                own.plot(x[:1], y[:1], "D", color=figures.COLOURS[1], markersize=9, label="best")
            if study.search[name].log:
                own.set_xscale("log")
            own.set_xlabel(name.replace("_", " "))
        axes[0][0].set_ylabel("\n".join(textwrap.wrap(unit, 40)))
        if finished:
            axes[0][0].legend(fontsize=9)
    return figure


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def option_text(value: object) -> str:
    """Return a value of an option as tables show it: `20-10` for widths."""
    if isinstance(value, list | tuple):
        return "-".join(map(str, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
