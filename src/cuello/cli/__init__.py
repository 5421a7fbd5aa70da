"""The command line. Nothing here imports torch until a command needs it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["importing", "main"]


def main() -> None:
    """Run the command line, and exit with its code."""
    with importing():
        from cuello.cli.program import run
    sys.exit(run())


@contextmanager
def importing() -> Iterator[None]:
    """Let Ctrl-C end the process at once: an import that is cut short may fail in any way."""
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(number: int, frame: object) -> None:
    os.write(2, b"cuello: interrupted.\n")
    os._exit(130)
