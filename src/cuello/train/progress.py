"""The progress of a training, in a terminal, a notebook or a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from cuello.errors import InputError
from cuello.formats import duration, number_text

if TYPE_CHECKING:
    from cuello.train.state import Epoch

__all__ = ["EpochProgress", "epoch_text", "quiet", "show_progress"]

_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Show no progress of any training inside: whoever starts them shows it."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def epoch_text(record: Epoch, epochs: int) -> str:
    """Return the number and the losses of an epoch, in a line."""
    text = f"epoch {record.epoch + 1} of {epochs}, loss {number_text(sum(record.train.values()))}"
    if record.validation is not None:
        text += f", validation {number_text(sum(record.validation.values()))}"
    return text


class EpochProgress:
    """A bar with epoch, losses and the time left; without a terminal a line an epoch."""

    def __init__(self, title: str, epochs: int, *, visible: bool = True) -> None:
        self.title, self.epochs, self.visible = title, epochs, visible
        self.bar: Any = None
        self.started = time.perf_counter()

    def __enter__(self) -> Self:
        if self.visible and (sys.stderr.isatty() or _is_notebook()):
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("left"))
            console = Console(stderr=not _is_notebook(), highlight=False, markup=False)
            self.bar = Progress(*columns, TimeRemainingColumn(), console=console)
            self.task = self.bar.add_task(self.title, total=None)
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def on_step_end(self, done: int, total: int) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total)

    def on_epoch_end(self, record: Epoch) -> None:
        """Show the losses."""
        text = f"{self.title}: {epoch_text(record, self.epochs)}"
        if self.bar is not None:
            self.bar.update(self.task, description=text)
        elif self.visible:
            passed = duration(time.perf_counter() - self.started)
            print(f"{text}, {passed}", file=sys.stderr, flush=True)


def show_progress(verbose: bool | str) -> bool:
    """Return whether to show progress: ``auto`` does in a terminal or notebook."""
    if verbose != "auto" and not isinstance(verbose, bool):
        raise InputError(argument="verbose", value=verbose, allowed="True, False or 'auto'")
    if _QUIET.get():
        return False
    return verbose if isinstance(verbose, bool) else sys.stderr.isatty() or _is_notebook()


def _is_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and "ipykernel" in sys.modules
