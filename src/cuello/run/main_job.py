"""The main job: many samples without labels, a few with, one run folder."""

from __future__ import annotations

import platform
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from cuello.arrays import Record
from cuello.errors import Argument, DataError, RunError, Use
from cuello.estimators import Autoencoder
from cuello.estimators.sources import name_of_source
from cuello.few_label import METHODS
from cuello.networks import NETWORKS
from cuello.run.folder import RunFolder
from cuello.run.job import Budget, Job, Progress, Silent, check_labels
from cuello.run.live import LiveProgress
from cuello.run.models import check_remote_code
from cuello.run.prepare import Prepared, prepare
from cuello.run.steps import JobSteps, collect_warnings

__all__ = ["default_folder", "plan", "resume", "start"]


def default_folder(data: str) -> Path:
    """Return ``runs/NAME`` for a named set or a path."""
    return Path("runs") / (Path(data).name.split(".")[0].replace(":", "-") or "data")


def plan(job: Job) -> tuple[Prepared, Autoencoder]:
    """Read and divide the data, check every option, and build the untrained network.

    Raises
    ------
    CuelloError
        If the data or an option cannot be used.
    """
    job.check()
    prepared = prepare(job)
    untrained = job.autoencoder().set_params(validation_fraction=0.0)
    data = prepared.data
    if not NETWORKS[untrained.network_].is_sequence and data.X.ndim == 3 and np.isnan(data.X).any():
        raise DataError(
            [
                f"{data.source} holds sequences of different lengths (NaN after their end), which ",
                Argument("network", untrained.network_),
                " cannot read",
            ],
            remedy=Use("network", "sequence"),
        )
    if prepared.plan is not None:
        METHODS[job.method].check_data(data.X, data.task, classes=data.task == "multiclass")
    check_labels(untrained.kind_, prepared.visible_labels, data.task)
    for which in ("encoder", "decoder"):
        name_of_source(which, getattr(untrained, which))  # or the run could not be kept
    return prepared, untrained.initialize(prepared.train, prepared.visible_labels)


def start(
    job: Job, out: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> RunFolder:
    """Do the main job from the beginning; writes no report.

    Raises
    ------
    CuelloError
        If the data, an option or the folder cannot be used; before training starts.
    DivergedError
        If a loss became NaN; the folder then holds a checkpoint of the last good epoch.
    """
    budget = Budget(job.max_time)
    job.check()
    folder = RunFolder(out)
    folder.refuse_to_replace(overwrite=overwrite)  # before minutes are spent on reading
    with collect_warnings() as notes:
        prepared, _ = plan(job)
    folder.start(_run_config(job, prepared, [*prepared.data.notes, *notes]), overwrite=overwrite)
    return _do(job, prepared, folder, progress or Silent(), budget)


def resume(
    out: Path, *, trust_remote_code: bool = False, progress: Progress | None = None
) -> RunFolder:
    """Continue an interrupted job; a finished one is left as it is.

    With ``trust_remote_code``, networks that the folder names are imported and run.

    Raises
    ------
    RunError
        If the folder holds no run, or the data has changed.
    """
    folder = RunFolder(out)
    if not folder.exists:
        raise RunError(
            f"{out} holds no run to continue",
            remedy=["start one without ", Argument("resume")],
        )
    config = folder.config()
    progress = progress or Silent()
    if config["status"] == "finished" and folder.is_complete:
        progress.say(f"{out} is finished; there is nothing to continue.")
        return folder
    start_again: list[str | Argument | Use] = ["start again with ", Argument("overwrite", True)]
    if config["status"] == "diverged":
        raise RunError(
            f"{out} stopped because a loss became NaN, and would again",
            remedy=[
                *start_again,
                " and a smaller ",
                Argument("learning_rate"),
                " or ",
                Argument("gradient_clip", 1.0),
            ],
        )
    try:
        job = Job.from_json(config["job"])
    except (KeyError, TypeError) as error:
        raise folder.damaged("config.json", f"{type(error).__name__}: {error}") from error
    check_remote_code(folder, job.model, trust_remote_code=trust_remote_code)
    budget = Budget(job.max_time)
    prepared = prepare(job)
    if prepared.fingerprint != config["data"]["fingerprint"]:
        raise RunError(
            f"{job.data} is not the data that {out} was started with (another fingerprint)",
            remedy=["restore the data, or ", *start_again],
        )
    return _do(job, prepared, folder, progress, budget)


def _do(
    job: Job, prepared: Prepared, folder: RunFolder, progress: Progress, budget: Budget
) -> RunFolder:
    held_out = prepared.validation if len(prepared.validation) else prepared.train
    live = LiveProgress(folder, progress, held_out)
    try:
        return JobSteps(job, prepared, folder, live, budget).run()
    finally:
        folder.clear_progress()


def _run_config(job: Job, prepared: Prepared, notes: list[str]) -> Record:
    """Return the contents of ``config.json`` at the start of a run."""
    from_shell = Path(sys.argv[0]).name == "cuello"
    return {
        "status": "running",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["cuello", *sys.argv[1:]]) if from_shell else None,
        "job": asdict(job),
        "data": {
            **prepared.describe(),
            "fingerprint": prepared.fingerprint,
            "encoding": prepared.data.encoding,
        },
        "notes": list(dict.fromkeys(notes)),
        "versions": {
            "cuello": version("cuello"),
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "numpy", "scikit-learn", "safetensors")},
            "platform": platform.platform(),
            "threads": torch.get_num_threads(),
        },
    }
