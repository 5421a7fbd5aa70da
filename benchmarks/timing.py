"""Alternating measurement, and the tables it ends in.

A shared machine can be several times slower from one minute to the next. So contestants take turns,
and what is quoted is the ratio of their fastest rounds: the fastest round of each is the one that
was disturbed least.
"""

from __future__ import annotations

import gc
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["THREADS", "Bar", "Result", "Settings", "alternate", "limit_threads", "machine", "timed"]

THREADS = 2
"""Threads of every contestant, in this process and in others."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line chose. ``quick`` is a smoke test: its numbers mean nothing."""

    quick: bool
    rounds: int

    @property
    def rows(self) -> int:
        """How many images to train on."""
        return 2_000 if self.quick else 60_000


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A target of a measured number."""

    what: str
    value: float
    target: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """The table of one benchmark."""

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers."""
        return asdict(self)

    def to_markdown(self) -> str:
        """Return a section with a table, the notes and the bars."""
        lines = [f"## {self.name}", ""]
        if self.rows:
            table = [self.columns, *([_cell(v) for v in row] for row in self.rows)]
            widths = [max(len(row[i]) for row in table) for i in range(len(self.columns))]
            head, *body = (_line(row, widths) for row in table)
            lines += [head, _line(["-" * w for w in widths], widths), *body, ""]
        lines += [f"- {note}" for note in self.notes]
        lines += [
            f"- {'met' if bar.met else 'MISSED'}: {bar.what} is {_cell(bar.value)}, "
            f"target {bar.target}"
            for bar in self.bars
        ]
        return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Turn work into a contestant: call it, return the seconds it took."""

    def contestant() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return contestant


def alternate(
    contestants: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Let every contestant run once a round, each round beginning with another one."""
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()  # nobody pays for garbage that somebody else left
            seconds[name].append(contestants[name]())
    return seconds


def limit_threads() -> None:
    """Hold this process and its children to ``THREADS`` cores; call before torch is imported."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(THREADS)
    if hasattr(os, "sched_setaffinity"):  # Linux; JAX's thread pool obeys nothing else
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def machine() -> str:
    """Describe what was measured on, in one line."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    bf16 = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return (
        f"{_processor()}, {os.cpu_count()} cores, bfloat16 {'native' if bf16 else 'emulated'}; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
