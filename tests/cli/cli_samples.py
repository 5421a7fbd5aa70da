"""A command in the test's own process, and data of a few rows to run it on."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cuello.cli import main

SMALL = ("--epochs", 2, "--hidden", 8, "--latent", 2)


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The last line on standard error, with which a failed command ends."""
        return self.err.rstrip("\n").split("\n")[-1]


def run(folder: Path, *arguments: object) -> Outcome:
    """Run a command in a folder."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["cuello", *map(str, arguments)])
        patch.chdir(folder)
        with pytest.raises(SystemExit) as stop:
            main()
    return Outcome(int(stop.value.code or 0), out.getvalue(), err.getvalue())


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder, with what is in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def rows_of_three_classes(
    rows: int = 60, features: int = 6
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return X and y of three classes that overlap a little."""
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 3
    return (rng.normal(size=(rows, features)) + 2 * y[:, None]).astype(np.float32), y


def picture(side: int, seed: int) -> Image.Image:
    """Return 8x8 pixels, brighter in the left (0) or in the right (1) half."""
    pixels = np.random.default_rng(seed).integers(0, 100, (8, 8), dtype=np.uint8)
    pixels[:, 4 * side : 4 * side + 4] += 100
    return Image.fromarray(pixels)


_HALT = """
import os, signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

def halt():
    # Until a signal comes, or if one came before the wait began: its number is in the pipe.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    os.write(int(os.environ["HALTED"]), b".")
    os.read(reading, 1)
"""


class Halting(subprocess.Popen[str]):
    """A real process that calls ``halt()``.

    It says so in a pipe: nobody has to look again and again whether it is there yet.
    """

    def __init__(self, folder: Path, program: str, *arguments: object) -> None:
        reading, writing = os.pipe()
        self._halted = open(reading, "rb")  # noqa: SIM115
        super().__init__(
            [sys.executable, "-c", _HALT + program, *map(str, arguments)],
            cwd=folder,
            env=os.environ | {"HALTED": str(writing)},
            pass_fds=(writing,),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writing)

    def wait_until_it_halts(self) -> None:
        # Nothing comes of a process that ended; pytest's time limit ends one that never halts.
        assert self._halted.read(1) == b".", self.communicate()

    def end(self) -> None:
        self.kill()
        self.communicate()
        self._halted.close()


@contextmanager
def halting(folder: Path, program: str, *arguments: object) -> Iterator[Halting]:
    """Run a real process until it calls ``halt()``; kill it in the end."""
    process = Halting(folder, program, *arguments)
    try:
        process.wait_until_it_halts()
        yield process
    finally:
        process.end()


def interrupt(
    process: subprocess.Popen[str], signum: signal.Signals = signal.SIGINT
) -> tuple[int, str, str]:
    """Send a signal; return the exit code and the output."""
    process.send_signal(signum)
    out, err = process.communicate()
    return process.returncode, out, err
