"""The main job as one call: train, measure, keep, and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cuello.report.page import write_report
from cuello.run.folder import RunFolder
from cuello.run.job import Job, Progress
from cuello.run.main_job import default_folder, resume, start

__all__ = ["Job", "default_folder", "fit", "resume_with_report", "start_with_report"]


def fit(
    data: str | Path,
    *,
    labels: int | str | Path | None = None,
    repeats: int | str = "auto",
    compare: bool = False,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    **model: Any,
) -> RunFolder:
    """Train on all samples, learn from few labels, and write a run folder: ``cuello fit``.

    Parameters
    ----------
    data : str or Path
        A named set or a path; see :func:`cuello.load`.
    labels : int, str, Path or None
        How many labels to keep, ``"all"``, or a CSV of ``file-or-row,label``; see
        :class:`cuello.run.Job`.
    repeats : int or "auto"
        Label draws; ``auto`` is one, or five with ``compare``.
    compare : bool
        Compare training from scratch and fine-tuning at the full rate as well.
    out : str, Path or None
        The run folder; None is ``runs/NAME``.
    overwrite : bool
        Replace a run that is there.
    seed : int
        Everything random follows from it.
    **model
        Options of :class:`cuello.Autoencoder`, and ``validation``, ``test``, ``image_size``,
        ``label_column``, ``skip_bad``, ``keep_constant``, ``task``, ``method``, ``max_time``,
        ``log_to``, ``encoder_lr_factor`` of :class:`cuello.run.Job`.

    Returns
    -------
    RunFolder
        Open it with :func:`cuello.open_run`.

    Raises
    ------
    CuelloError
        If the data, an option or the folder cannot be used; before training starts.
    DivergedError
        If a loss became NaN.

    Examples
    --------
    >>> import tempfile
    >>> folder = fit("font", out=tempfile.mkdtemp(), hidden=(20,), latent_dim=2, epochs=20)
    >>> folder.report.exists()
    True
    """
    job = Job.of(
        data=str(data),
        labels=None if labels is None else str(labels),
        repeats=repeats,
        compare=compare,
        seed=seed,
        **model,
    )
    where = default_folder(job.data) if out is None else Path(out)
    return start_with_report(job, where, overwrite=overwrite)


def start_with_report(
    job: Job, out: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> RunFolder:
    """Do the main job from the beginning, and write its report; see :func:`cuello.run.start`."""
    folder = start(job, out, overwrite=overwrite, progress=progress)
    write_report(folder)
    return folder


def resume_with_report(
    out: Path, *, trust_remote_code: bool = False, progress: Progress | None = None
) -> RunFolder:
    """Continue an interrupted job, and write its report; see :func:`cuello.run.resume`."""
    was_there = RunFolder(out).report.is_file()
    folder = resume(out, trust_remote_code=trust_remote_code, progress=progress)
    if not was_there:
        write_report(folder)
    return folder
