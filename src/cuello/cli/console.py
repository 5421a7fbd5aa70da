"""What the terminal shows: progress, tables, one-line complaints."""

from __future__ import annotations

from types import TracebackType
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

__all__ = ["Bars", "complain", "out", "table_of_methods"]

# Plain: a path or class may hold "[x]" or ":cat:", and is printed as it is.
out = Console(highlight=False, markup=False, emoji=False)
_err = Console(stderr=True, highlight=False, markup=False, emoji=False)


def complain(text: str, code: int) -> int:
    """Print one line on standard error and return the exit code."""
    line = " ".join(text.split())
    _err.print(f"cuello: {line}", style="red", soft_wrap=True)
    return code


class Bars:
    """A progress bar with an estimate of the time left, one for each stage."""

    def __init__(self) -> None:
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._tasks:
            self._progress.stop()

    def update(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage, which appears when it is first named."""
        if stage not in self._tasks:
            self._progress.start()  # not earlier: a refusal is one line, without an empty one
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)

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
    from cuello.report.measures import measures, method_name

    main, second = measures(metrics)
    table = Table(title=f"{main.name} on the {metrics['evaluated_on']}")
    numbers = second.key == "mae"
    unit = main.unit or main.name
    # The names of the methods fit into 80 columns beside these, but not beside longer ones.
    head = (
        "method",
        "labels",
        f"{main.name}, {main.unit}" if main.unit else main.name,
        "error" if numbers else second.name,
        f"cross-\nvalidated, {unit}",
    )
    for name in head:
        table.add_column(name, justify="left" if name == "method" else "right", overflow="fold")
    for row in metrics["few_labels"]:
        chosen = row["method"] == metrics["best_method"]
        table.add_row(
            method_name(row["method"], metrics) + (" *" if chosen else ""),
            str(row["labels"]),
            *_figures(row, main, second),
            style="bold" if chosen else None,
        )
    repeats = metrics["few_labels"][0]["repeats"]
    why = "of the four networks, the one that cross-validation inside the labelled rows chose"
    if metrics.get("method"):
        why = "the method that was asked for"
    told = "error: mean absolute error; " if numbers else ""
    spread = f"mean ± standard deviation over {repeats} label draws; " if repeats > 1 else ""
    table.caption = f"{told}{spread}* {why}; kept for `cuello classify`"
    return table
