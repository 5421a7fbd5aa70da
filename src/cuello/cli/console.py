"""What the terminal shows: progress, tables, one-line complaints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

if TYPE_CHECKING:
    from cuello.report.measures import Measure

__all__ = ["Bars", "complain", "out", "say", "table_of_methods"]

# Plain: a path or class may hold "[x]" or ":cat:", and is printed as it is.
out = Console(highlight=False, markup=False, emoji=False)
_err = Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(text: str) -> None:
    """Print a line that a terminal may wrap, and a pipe leaves whole."""
    out.print(text, soft_wrap=True)


def complain(text: str, code: int) -> int:
    """Print one line on standard error and return the exit code."""
    line = " ".join(text.split())
    _err.print(f"cuello: {line}", style="red", soft_wrap=True)
    return code


class Bars:
    """A progress bar with an estimate of the time left, one for each stage.

    Where nobody looks, in a log, there is a line for each epoch or method instead; ``quiet`` shows
    neither. The line that ``announce`` returns is printed before the first appears.
    """

    def __init__(self, announce: Callable[[], str] | None = None, *, quiet: bool = False) -> None:
        self._announce, self._quiet = announce, quiet
        self._details: dict[str, str] = {}
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=_err,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._tasks:
            self._progress.stop()

    def update(self, stage: str, done: int, total: int, detail: str = "") -> None:
        """Move the bar of a stage, which appears when it is first named, and show its progress."""
        if self._announce is not None and not self._details:
            self.say(self._announce())
        before = self._details.setdefault(stage, "")
        self._details[stage] = detail or before
        if self._quiet:
            return
        if not _err.is_terminal:
            if detail not in ("", before):
                _err.print(f"{stage}: {detail}", soft_wrap=True)
            return
        if stage not in self._tasks:
            self._progress.start()  # not earlier: a refusal is one line, without an empty one
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        text = f"{stage}: {self._details[stage]}" if self._details[stage] else stage
        self._progress.update(self._tasks[stage], completed=done, total=total, description=text)

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.print(text, soft_wrap=True)


def _figures(row: dict[str, Any], main: Measure, second: Measure) -> tuple[str, str, str]:
    if main.unit != "%":
        return main.text(row), second.text(row), main.text(row, cross_validated=True)
    cv = row[f"cv_{main.key}_mean"]
    spread = f" ± {100 * row[f'{main.key}_sd']:.2f}" if row["repeats"] > 1 else ""
    return (
        f"{100 * row[f'{main.key}_mean']:.2f}{spread}",
        f"{row[f'{second.key}_mean']:.3f}",
        "-" if cv is None else f"{100 * cv:.1f}",
    )


def table_of_methods(metrics: dict[str, Any]) -> Table:
    """Return the few-label results as a table."""
    from cuello.report.measures import measures

    main, second = measures(metrics)
    table = Table(title=f"{main.name} on the {metrics['evaluated_on']}")
    # The names of the methods fit into 80 columns beside these, but not beside longer ones.
    head = (
        "method",
        "labels",
        f"{main.name}, {main.unit}" if main.unit else main.name,
        "error" if second.key == "mae" else second.name,
        f"cross-\nvalidated, {main.unit or main.name}",
    )
    for name in head:
        table.add_column(name, justify="left" if name == "method" else "right", overflow="fold")
    for row in metrics["few_labels"]:
        chosen = row["method"] == metrics["method"]
        table.add_row(
            row["display_name"] + (" *" if chosen else ""),
            str(row["labels"]),
            *_figures(row, main, second),
            style="bold" if chosen else None,
        )
    repeats = metrics["few_labels"][0]["repeats"]
    error = "error: mean absolute error; " if second.key == "mae" else ""
    spread = f"mean ± standard deviation over {repeats} label draws; " if repeats > 1 else ""
    table.caption = f"{error}{spread}* kept for `cuello classify`"
    return table
