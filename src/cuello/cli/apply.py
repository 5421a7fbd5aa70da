"""`cuello embed`, `reconstruct` and `classify`: a run folder applied to further data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cuello.cli.command import command
from cuello.cli.console import out
from cuello.cli.interrupt import importing
from cuello.cli.options import (
    DataArgument,
    OutOption,
    RunArgument,
    SkipOption,
    TrustRemoteCodeOption,
    expanded,
)
from cuello.errors import Argument, InputError

if TYPE_CHECKING:
    from cuello.data import Dataset
    from cuello.run import Run

__all__ = ["open_and_read", "open_for"]

_PANEL = "Apply to data"
_TABLES = {".csv", ".npy", ".npz", ".parquet", ".tsv"}


@command(
    _PANEL,
    examples=(
        "cuello embed runs/digits digits -o embeddings.parquet",
        "cuello embed runs/scans new_scans/ -o embeddings.parquet --skip-bad",
    ),
)
def embed(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write the embedding of every sample to Parquet."""
    opened, samples, to = open_and_read(
        run, data, to, (".parquet",), skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    out.print(f"{opened.embed(samples, to):,} rows: {to}", soft_wrap=True)


@command(
    _PANEL,
    examples=(
        "cuello reconstruct runs/digits digits -o reconstructed.npz",
        "cuello reconstruct runs/sensors sensors.csv -o reconstructed.npz",
    ),
)
def reconstruct(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write every sample after encoding and decoding, and its error, to .npz."""
    opened, samples, to = open_and_read(
        run, data, to, (".npz",), skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    out.print(f"{opened.reconstruct(samples, to):,} rows: {to}", soft_wrap=True)


@command(
    _PANEL,
    examples=(
        "cuello classify runs/digits digits -o labels.csv",
        "cuello classify runs/scans new_scans/ -o labels.csv --min-precision 0.99",
    ),
)
def classify(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
    min_precision: Annotated[
        float | None,
        typer.Option(
            "--min-precision",
            help="For classes: share of decided samples that must be right; others are undecided.",
            show_default="0.95",
        ),
    ] = None,
) -> None:
    """Write the predicted class, properties or number of every sample to CSV."""
    with importing():
        from cuello.run.predictions import MIN_PRECISION, check_min_precision
    check_min_precision(MIN_PRECISION if min_precision is None else min_precision)
    opened, samples, to = open_and_read(
        run, data, to, (".csv",), skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    result = opened.classify(samples, to, min_precision=min_precision)
    out.print(f"{result.summary()}: {to}", soft_wrap=True)


def open_and_read(
    run: Path,
    data: str,
    to: Path,
    suffixes: tuple[str, ...],
    *,
    skip_bad: bool,
    trust_remote_code: bool,
    holes: bool = False,
) -> tuple[Run, Dataset, Path]:
    """Open a run and read data the way it did, once the output is known to be writable."""
    to, source = expanded(to), expanded(Path(data))
    if to.exists() and source.exists() and to.samefile(source):
        raise InputError(
            "is the data itself", argument="out", value=str(to), remedy="choose another file"
        )
    opened, to = open_for(run, to, suffixes, trust_remote_code=trust_remote_code)
    samples = opened.load(data, skip_bad=skip_bad, holes=holes)
    for note in samples.notes:
        out.print(f"note: {note}", soft_wrap=True)
    return opened, samples, to


def open_for(
    run: Path, to: Path, suffixes: tuple[str, ...], *, trust_remote_code: bool
) -> tuple[Run, Path]:
    """Open a run, once the output is known to be writable; return it and the expanded output."""
    with importing():
        from cuello.run import open_run
    run, to = expanded(run), expanded(to)
    _check_out(run, to, suffixes)
    return open_run(run, trust_remote_code=trust_remote_code), to


def _check_out(run: Path, to: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse, before any work, an output that cannot be written or would replace the input."""
    first = suffixes[0]
    problem: str | tuple[str | Argument, ...]
    if to.is_dir():
        problem, remedy = "is a folder", f"name a file, such as {to / f'output{first}'}"
    elif to.suffix.lower() in _TABLES - {*suffixes}:
        problem = f"has another format than this command writes, {' or '.join(suffixes)}"
        remedy = f"write {to.with_suffix(first)}"
    elif to.exists() and run.is_dir() and to.parent.samefile(run):
        problem, remedy = "is a file of the run", "choose another place"
    else:
        return
    raise InputError(problem, argument="out", value=str(to), remedy=remedy)
