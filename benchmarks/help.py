"""How long ``cuello --help`` takes, as a user sees it: a new process."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.timing import Bar, Result, Settings, alternate, timed

__all__ = ["run"]

_TARGET = 0.5  # seconds


def run(settings: Settings) -> Result:
    """Measure."""
    commands = {
        "python -c pass": ["-c", "pass"],
        "cuello --help": ["-m", "cuello", "--help"],
        "cuello fit --help": ["-m", "cuello", "fit", "--help"],
    }
    seconds = alternate(
        {
            name: timed(
                partial(subprocess.run, [sys.executable, *c], capture_output=True, check=True)
            )
            for name, c in commands.items()
        },
        settings.rounds,
    )
    return Result(
        name="help",
        columns=("command", "s, fastest", "slowest"),
        rows=[(name, min(times), max(times)) for name, times in seconds.items()],
        bars=[
            Bar(
                what="cuello --help: seconds",
                value=min(seconds["cuello --help"]),
                target=f"below {_TARGET:g}",
                met=min(seconds["cuello --help"]) < _TARGET,
            )
        ],
    )
