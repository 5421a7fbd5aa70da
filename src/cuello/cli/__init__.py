"""The command line. Nothing here imports torch until a command needs it."""

from __future__ import annotations

import sys

from cuello.cli.interrupt import importing

__all__ = ["main"]


def main() -> None:
    """Run the command line, and exit as it says."""
    with importing():
        from cuello.cli.program import run
    sys.exit(run())
