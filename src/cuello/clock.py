"""The clock that times trainings and keeps time budgets."""

from __future__ import annotations

import time

__all__ = ["now"]


def now() -> float:
    """Return seconds from a fixed but unknown moment; only differences mean something."""
    return time.perf_counter()
