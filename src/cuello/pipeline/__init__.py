"""The main job end to end, and what can be done with the run folder it leaves."""

from __future__ import annotations

from cuello.pipeline.apply import Run, open_run
from cuello.pipeline.job import Job, Progress, Silent
from cuello.pipeline.main_job import default_folder, fit, plan, resume, start

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
