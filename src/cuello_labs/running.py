"""Running a lab: its trials, its figures, its page; and the page that lists labs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cuello import atomic
from cuello.errors import RunError
from cuello.study.figures import save
from cuello.study.trials import run_trials
from cuello_labs.base import Findings, Lab
from cuello_labs.page import index_page, lab_page

__all__ = ["Ended", "run_lab", "write_index"]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A lab that was run."""

    lab: Lab
    page: Path
    findings: Findings
    seconds: float
    quick: bool


def run_lab(
    lab: Lab,
    out: Path,
    *,
    quick: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Ended:
    """Run the trials that are missing, and write figures and page.

    Parameters
    ----------
    lab : Lab
        The experiment.
    out : Path
        Folder that gets one folder a lab: ``trials.jsonl``, ``figures/``, ``index.html`` and
        ``result.json``. Quick runs get a separate folder, ``NAME-quick``.
    quick : bool
        Few and small trials; the page says so.
    progress : callable
        Called with trials done, and all trials.

    Raises
    ------
    CuelloError
        If data is missing, or the folder cannot be written.
    """
    folder = out / (f"{lab.name}-quick" if quick else lab.name)
    _check_protocol(lab, folder)
    started = time.perf_counter()
    records = run_trials(folder / "trials.jsonl", lab.trials(quick), lab.run, progress)
    findings = lab.show(records)
    seconds = time.perf_counter() - started
    try:
        for picture in findings.pictures:
            save(picture.figure, folder / "figures", picture.name)
        page = lab_page(lab, findings, folder / "figures", quick=quick, trials=len(records))
        atomic.write_bytes(folder / "index.html", page.encode())
        result = {
            "lab": lab.name,
            "quick": quick,
            "holds": findings.holds,
            "verdict": findings.verdict,
        }
        atomic.write_bytes(folder / "result.json", json.dumps(result, indent=2).encode())
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written ({error.strerror or error}); finished trials are "
            "kept; make room, or write elsewhere with --out, and start again."
        ) from error
    return Ended(
        lab=lab, page=folder / "index.html", findings=findings, seconds=seconds, quick=quick
    )


def write_index(ended: list[Ended], out: Path) -> Path:
    """Write the page that lists labs with their findings."""
    path = out / "index.html"
    rows = [(e.lab, e.findings, str(e.page.relative_to(out)), e.quick) for e in ended]
    atomic.write_bytes(path, index_page(rows).encode())
    return path


def _check_protocol(lab: Lab, folder: Path) -> None:
    """Refuse to mix trials of this protocol with those of another one."""
    path, protocol = folder / "protocol.json", json.dumps(dict(lab.protocol), indent=2)
    if path.exists() and path.read_text(encoding="utf-8") != protocol:
        raise RunError(
            f"{folder} holds trials of another protocol; remove that folder, or write elsewhere "
            "with --out."
        )
    atomic.write_bytes(path, protocol.encode())
