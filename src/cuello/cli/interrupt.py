"""Ctrl-C among the imports: one that is cut short may fail in any way, or even go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["importing"]


@contextmanager
def importing() -> Iterator[None]:
    """Let Ctrl-C end the process at once: so early there is nothing to tidy up."""
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(number: int, frame: object) -> None:
    os.write(2, b"cuello: interrupted.\n")
    os._exit(130)
