"""The main job end to end, and what can be done with the run folder it leaves."""

from __future__ import annotations

from cuello.run.fitting import default_folder, fit, plan, resume, start
from cuello.run.job import Job, Progress, Silent
from cuello.run.opened import Run, open_run

__all__ = [
    "Job",
    "Progress",
    "Run",
    "Silent",
    "default_folder",
    "fit",
    "open_run",
    "plan",
    "resume",
    "start",
]
