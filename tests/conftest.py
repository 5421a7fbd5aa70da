"""Shared by all tests: one thread a worker, and what to do where data or a browser is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# The same examples in every run, and no deadline: time says nothing on a busy machine.
settings.register_profile("cuello", derandomize=True, deadline=None)
settings.load_profile("cuello")

# Two workers with two threads each would fight over two cores.
torch.set_num_threads(1)


def skip_or_fail(what: str) -> None:
    """Skip a test whose means are missing; fail it where nothing may be missing."""
    if os.environ.get("CUELLO_REQUIRE_ALL"):
        pytest.fail(f"{what} is missing, and CUELLO_REQUIRE_ALL is set")
    pytest.skip(f"{what} is missing")


@pytest.fixture
def need_set():
    """Return a function that skips (or fails) unless a named data set is at hand."""

    def need(name: str) -> None:
        folders = os.environ.get("CUELLO_DATA", "").split(os.pathsep)
        if not any(folder and (Path(folder) / name).is_dir() for folder in folders):
            skip_or_fail(f"data set {name} (in a folder of CUELLO_DATA)")

    return need
