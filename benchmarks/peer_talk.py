"""The child's half of the talk between ``peers.py`` and a peer; nothing but the standard library.

One JSON object a line. The child says which versions it runs, then answers every
``{"cmd": "epoch"}`` with ``{"seconds": ..., "loss": ...}``, until its input ends.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["begin"]


def begin(*packages: str) -> tuple[dict[str, Any], Iterator[None], Callable[..., None]]:
    """Return the job, an iterator that waits for each request, and how to answer one."""
    # Libraries print; what they print must not get between the answers.
    channel = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def answer(**fields: object) -> None:
        print(json.dumps(fields), file=channel)

    def requests() -> Iterator[None]:
        for line in sys.stdin:
            if json.loads(line)["cmd"] != "epoch":
                return
            yield

    job = json.loads((Path(sys.argv[1]) / "job.json").read_text(encoding="utf-8"))
    answer(versions=", ".join(f"{name} {metadata.version(name)}" for name in packages))
    return job, requests(), answer
