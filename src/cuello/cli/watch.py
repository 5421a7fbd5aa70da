"""`cuello fit --watch`: a training in the browser while it goes on, and the run once it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cuello.cli.app import import_server
from cuello.cli.console import Bars, out
from cuello.cli.finish import finish

if TYPE_CHECKING:
    from cuello.pipeline import Progress
    from cuello.server import Beside
    from cuello.store import RunFolder

__all__ = ["finish_watched"]


class _Watched:
    """Bars with a server beside them, which starts when there is something to see."""

    def __init__(self, bars: Bars, beside: Beside) -> None:
        self._bars, self._beside = bars, beside

    def update(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage."""
        if not self._beside.started:
            self._beside.start()
            self._bars.say(f"watch it at {self._beside.address}")
        self._bars.update(stage, done, total)

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._bars.say(text)


def finish_watched(
    where: Path, work: Callable[[Progress], RunFolder], *, trust: bool = False
) -> None:
    """Do what ``finish`` does, seen by a browser, and go on serving the run until Ctrl-C."""
    beside = import_server("cuello fit --watch").Beside(where, trust=trust)
    try:
        finish(where, lambda bars: work(_Watched(bars, beside)))
        if not beside.started:  # nothing was left to train
            beside.start()
        out.print(f"{where}: {beside.address} (Ctrl-C ends it)", soft_wrap=True)
        beside.wait()
    finally:
        beside.close()
