"""The main job end to end, and the use of the run folder that it leaves."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cuello.run.folder import RunFolder
    from cuello.run.job import Job, Progress, Silent
    from cuello.run.main_job import default_folder, plan, resume, start
    from cuello.run.opened import Run, open_run

__all__ = [
    "Job",
    "Progress",
    "Run",
    "RunFolder",
    "Silent",
    "default_folder",
    "open_run",
    "plan",
    "resume",
    "start",
]

_PUBLIC = {
    "cuello.run.folder": ("RunFolder",),
    "cuello.run.job": ("Job", "Progress", "Silent"),
    "cuello.run.main_job": ("default_folder", "plan", "resume", "start"),
    "cuello.run.opened": ("Run", "open_run"),
}


def __getattr__(name: str) -> object:
    # The files of a run can be looked at without torch, which takes over a second to import.
    for module, names in _PUBLIC.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'cuello.run' has no attribute {name!r}")
