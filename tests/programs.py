"""Programs of their own that begin where the imports end: those cost more than all they do."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

STARTED = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
if os.name == "posix":
    STARTED.set_forkserver_preload(
        [
            "cuello.api",
            "cuello.cli.program",
            "cuello.few_label",
            "cuello.report",
            "cuello.server.serving",
            "cuello.study.search",
            "uvicorn",
        ]
    )

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


def _begin(
    folder: str,
    text: str,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    *pipes: Connection,
) -> None:
    out, err, halted = (pipe.fileno() for pipe in pipes)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(folder)
    os.environ |= environment | {"HALTED": str(halted)}
    sys.argv = ["-c", *arguments]
    exec(compile(_HALT + text, "<program>", "exec"), {"__name__": "__main__"})


class Program:
    """A real process, with the part of ``subprocess.Popen`` that tests need.

    When its text calls ``halt()`` it says so in a pipe: nobody has to look again and again whether
    it is there yet.
    """

    def __init__(
        self, folder: Path, text: str, *arguments: object, environment: Mapping[str, str] = {}
    ) -> None:
        reading, writing = zip(*(STARTED.Pipe(duplex=False) for _ in range(3)), strict=True)
        what = (str(folder), text, tuple(map(str, arguments)), dict(environment))
        self._process = STARTED.Process(target=_begin, args=(*what, *writing), daemon=True)
        self._process.start()
        for pipe in writing:
            pipe.close()
        self.stdout = os.fdopen(os.dup(reading[0].fileno()))
        self.stderr = os.fdopen(os.dup(reading[1].fileno()))
        self._halted = os.fdopen(os.dup(reading[2].fileno()), "rb", buffering=0)
        for pipe in reading:
            pipe.close()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        out, err = self.stdout.read(), self.stderr.read()
        self.wait()
        return out, err

    def send_signal(self, signum: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, signum)

    def wait_until_it_halts(self) -> None:
        # Nothing comes of a process that ended; pytest's time limit ends one that never halts.
        assert self._halted.read(1) == b".", self.communicate()

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        for file in (self.stdout, self.stderr, self._halted):
            file.close()


@contextmanager
def halting(folder: Path, text: str, *arguments: object) -> Iterator[Program]:
    """Run a real process until it calls ``halt()``; kill it in the end."""
    process = Program(folder, text, *arguments)
    try:
        process.wait_until_it_halts()
        yield process
    finally:
        process.end()


def interrupt(
    process: Program, signum: signal.Signals = signal.SIGINT
) -> tuple[int | None, str, str]:
    """Send a signal; return the exit code and the output."""
    process.send_signal(signum)
    out, err = process.communicate()
    return process.returncode, out, err
