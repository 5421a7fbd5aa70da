"""Table, figure and page of a study; and its best trial as a normal run."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from cuello import atomic
from cuello.api import start_with_report
from cuello.run.folder import RunFolder
from cuello.run.job import Job
from cuello.study.figures import Picture, Table, draw_document, draw_study, picture_uri, save
from cuello.study.search import run_search
from cuello.study.study import Study, estimator_options
from cuello.study.summary import Combination, option_text, summarise_trials
from cuello.study.trials import MEASURES, run_trials, unwritable

__all__ = ["refit", "run_study"]


def run_study(
    study: Study,
    folder: Path,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Combination]:
    """Run the trials that are missing, and write table, figure and page.

    Parameters
    ----------
    study : Study
        The study.
    folder : Path
        Gets ``trials.jsonl`` (a grid) or ``journal.log`` (a search), ``table.csv``, ``study.json``,
        ``figures/`` and ``index.html``.
    workers : int
        Processes of a search.
    progress, say : callable
        Called with trials done and all trials; called with messages for the user.

    Returns
    -------
    list of Combination
        The best first.

    Raises
    ------
    CuelloError
        If data or options cannot be used, before anything is trained; or the folder cannot be
        written.
    """
    prepared = study.prepare()
    if study.grid:
        records = run_trials(
            folder / "trials.jsonl",
            study.grid_trials(),
            lambda missing: study.run(missing, prepared, say=say),
            progress,
        )
    else:
        records = run_search(study, prepared, folder, workers=workers, progress=progress)
    rows = summarise_trials(study, records)
    try:
        _write_results(study, rows, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    return rows


def refit(study: Study, row: Combination, out: Path, *, overwrite: bool = False) -> RunFolder:
    """Train with the options of a combination as a normal run, on the same split of the data.

    Parameters
    ----------
    study : Study
        The study.
    row : Combination
        One of those that :func:`run_study` returned.
    out : Path
        The run folder.
    overwrite : bool
        Replace a run that is there.

    Raises
    ------
    CuelloError
        If a run is there, or cannot be trained.
    """
    job = Job.of(**study.split_options, **estimator_options(row.options))
    return start_with_report(job, out, overwrite=overwrite)


def _write_results(study: Study, rows: list[Combination], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(folder / "study.json", json.dumps(study.to_json(), indent=2).encode())
    atomic.write(folder / "table.csv", lambda path: _write_table(study, rows, path))
    measure = MEASURES[study.measure]
    over = f"{study.seeds} seeds" if study.seeds > 1 else "one seed"
    caption = f"{measure[0].upper()}{measure[1:]}; {over} each."
    picture = Picture(name="study", caption=caption, figure=draw_study(study, rows))
    save(picture.figure, folder / "figures", picture.name)
    names = list(study.grid or study.search)
    shown = [m for m in MEASURES if any(row.measured[m].count for row in rows)]
    table = Table(
        title="Every combination, the best first" if study.grid else "Every trial, the best first",
        columns=[*names, "seeds", *(m.replace("_", " ") for m in shown)],
        rows=[
            [*_varied_texts(row), _count_text(row, study), *(row.measured[m] for m in shown)]
            for row in rows
        ],
        note="Mean ± standard deviation over seeds; table.csv has the confidence intervals. "
        f"The order is by {measure}.",
    )
    page = draw_document(
        "cuello.study/study.html",
        f"Study of {study.data}",
        names=names,
        caption=picture.caption,
        uri=picture_uri(picture, folder / "figures"),
        table=table,
        study=study,
        fixed=", ".join(f"{k} {option_text(v)}" for k, v in study.options.items()) or "defaults",
    )
    atomic.write_bytes(folder / "index.html", page.encode())


def _count_text(row: Combination, study: Study) -> str:
    if row.pruned:
        return "diverged" if row.diverged else "stopped early"
    count = row.measured[study.measure].count if study.grid else study.seeds
    return f"{count}" + (f" ({row.diverged} diverged)" if row.diverged else "")


def _varied_texts(row: Combination) -> list[str]:
    return [option_text(value) for value in row.varied.values()]


def _write_table(study: Study, rows: Sequence[Combination], path: Path) -> None:
    columns = [(m, s) for m in MEASURES for s in ("mean", "sd", "low", "high")]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        heads = [f"{m}_{s}" for m, s in columns]
        writer.writerow([*(study.grid or study.search), "seeds", "diverged", *heads])
        for row in rows:
            numbers = [getattr(row.measured[m], s) for m, s in columns]
            texts = ["" if math.isnan(number) else repr(number) for number in numbers]
            count = row.measured[study.measure].count
            writer.writerow([*_varied_texts(row), count, row.diverged, *texts])
