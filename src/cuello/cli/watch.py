"""`cuello fit --watch`: a training in the browser while it goes on, and the run once it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cuello.cli import finish as ending
from cuello.cli.app import import_server
from cuello.cli.console import Bars, out

if TYPE_CHECKING:
    from cuello.run import Progress
    from cuello.run.folder import RunFolder
    from cuello.server import BackgroundServer

__all__ = ["finish_watched"]


class _Watched:
    """Bars with a server beside them, which starts when there is something to see."""

    def __init__(self, bars: Bars, beside: BackgroundServer) -> None:
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
    where: Path,
    work: Callable[[Progress], RunFolder],
    watch: bool,
    *,
    trust_remote_code: bool = False,
) -> None:
    """Do the work; to be watched, in a browser, too, where the run is served until Ctrl-C."""
    if not watch:
        ending.finish(where, work)
        return
    server = import_server("cuello fit --watch")
    beside = server.BackgroundServer(where, trust_remote_code=trust_remote_code)
    try:
        ending.finish(where, lambda bars: work(_Watched(bars, beside)))
        if not beside.started:  # nothing was left to train
            beside.start()
        out.print(f"{where}: {beside.address} (Ctrl-C ends it)", soft_wrap=True)
        beside.wait()
    finally:
        beside.close()
