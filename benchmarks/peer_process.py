"""A peer seen from outside: its virtual environment, its process, the talk with it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

__all__ = ["Child", "LeftOutError", "Peer", "install"]

_HERE = Path(__file__).parent
_VENVS = _HERE.parent / ".venvs"
_INSTALL_SECONDS = 1800


@dataclass(frozen=True)
class Peer:
    """Another library: its name, and what pip installs for it."""

    name: str
    requirements: tuple[str, ...]


class LeftOutError(Exception):
    """A peer cannot take part; says why."""


def install(peer: Peer) -> Path:
    """Return the Python of a peer's virtual environment, made now or before."""
    folder = _VENVS / peer.name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    constraints = _HERE.parent / "constraints.txt"
    wanted = hashlib.sha256("\n".join(peer.requirements).encode() + constraints.read_bytes())
    stamp = folder / ".installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted.hexdigest():
        return python
    print(f"installing {', '.join(peer.requirements)} into {folder}", file=sys.stderr)
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    for command in (
        (sys.executable, "-m", "venv", "--clear", str(folder)),
        (*pip, "-c", str(constraints), *peer.requirements),
    ):
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise LeftOutError(_reason(getattr(error, "stderr", None), error)) from error
    stamp.write_text(wanted.hexdigest(), encoding="utf-8")
    return python


def _reason(said: str | bytes | None, error: object) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said or ""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return next(iter(errors or lines[-1:]), str(error))[:300]


class Child:
    """A running peer."""

    def __init__(self, peer: Peer, python: Path, folder: Path) -> None:
        self.log = folder / f"{peer.name}.log"
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(python), str(_HERE / f"peer_{peer.name}.py"), str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        self.loss = float("nan")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # it may be gone already
            self._pipe(self.process.stdin).close()  # the end of its input ends it
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._pipe(self.process.stdout).close()

    def read(self) -> dict[str, Any]:
        """Wait for a line."""
        line = self._pipe(self.process.stdout).readline()
        if not line:
            raise LeftOutError(_reason(self.log.read_text(errors="replace"), "it ended silently"))
        message: dict[str, Any] = json.loads(line)
        return message

    def epoch(self) -> float:
        """Let it train an epoch; return its seconds and keep its loss."""
        pipe = self._pipe(self.process.stdin)
        with suppress(BrokenPipeError):  # read() says why
            print(json.dumps({"cmd": "epoch"}), file=pipe, flush=True)
        answer = self.read()
        self.loss = answer["loss"]
        return float(answer["seconds"])

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe
