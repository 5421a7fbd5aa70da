"""`cuello embed`, `reconstruct` and `classify`: a run folder at work on further data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cuello.cli.console import out
from cuello.cli.flags import FlagCommand
from cuello.cli.interrupt import importing
from cuello.cli.options import expanded
from cuello.errors import InputError

if TYPE_CHECKING:
    from cuello.data import Dataset
    from cuello.run.opened import Run

__all__ = [
    "DataArgument",
    "OutOption",
    "RunArgument",
    "SkipOption",
    "TrustRemoteCodeOption",
    "add_to",
    "opened_and_read",
    "opened_for",
]

RunArgument = Annotated[Path, typer.Argument(help="A finished run folder.", metavar="RUN")]
DataArgument = Annotated[str, typer.Argument(help="A named set or a path.", metavar="DATA")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The file to write.")]
SkipOption = Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable files out.")]
TrustRemoteCodeOption = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code", help="Import and run the networks of its own that the run names."
    ),
]

_SUFFIXES = {
    "embed": (".parquet",),
    "reconstruct": (".npz",),
    "classify": (".csv",),
    "suggest": (".csv",),
    "anomalies": (".csv",),
    "denoise": (".npz",),
    "sample": (".npz",),
    "interpolate": (".npz",),
    "impute": (".csv", ".npz"),
    "reduce": (".csv",),
}
_OTHERS = {".csv", ".npy", ".npz", ".parquet", ".tsv"}


def embed(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write the code of every row to Parquet."""
    _apply("embed", run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code)


def reconstruct(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write every row after encoding and decoding, and its error, to .npz."""
    _apply("reconstruct", run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code)


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
            help="For classes: the share of decided rows whose class is to be right.",
            show_default="0.95",
        ),
    ] = None,
) -> None:
    """Write what labels say of every row to CSV: a class, how sure; properties; or a number."""
    with importing():
        from cuello.run.abstention import MIN_PRECISION, check_min_precision
    check_min_precision(MIN_PRECISION if min_precision is None else min_precision)
    to = expanded(to)
    opened, rows = opened_and_read(
        "classify", run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    found = opened.classify(rows, to, min_precision=min_precision)
    out.print(f"{found.summary()}: {to}", soft_wrap=True)


def _apply(
    what: str, run: Path, data: str, to: Path, *, skip_bad: bool, trust_remote_code: bool
) -> None:
    to = expanded(to)
    opened, rows = opened_and_read(
        what, run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    count = getattr(opened, what)(rows, to)
    out.print(f"{count:,} rows: {to}", soft_wrap=True)


def opened_and_read(
    what: str,
    run: Path,
    data: str,
    to: Path,
    *,
    skip_bad: bool,
    trust_remote_code: bool,
    holes: bool = False,
) -> tuple[Run, Dataset]:
    """Open a run and read data the way it did, once the output is known to be writable."""
    source = expanded(Path(data))
    if to.exists() and source.exists() and to.samefile(source):
        raise InputError(f"--out {to} is the data itself; choose another file.")
    opened = opened_for(what, run, to, trust_remote_code=trust_remote_code)
    rows = opened.load(data, skip_bad=skip_bad, holes=holes)
    for note in rows.notes:
        out.print(f"note: {note}", soft_wrap=True)
    return opened, rows


def opened_for(what: str, run: Path, to: Path, *, trust_remote_code: bool) -> Run:
    """Open a run, once the output is known to be writable."""
    with importing():
        from cuello.run import open_run
    run = expanded(run)
    _check_out(what, run, to)
    return open_run(run, trust_remote_code=trust_remote_code)


def _check_out(what: str, run: Path, to: Path) -> None:
    """Refuse, before any work, an output that cannot be written or would replace the input."""
    suffixes = _SUFFIXES[what]
    first = suffixes[0]
    if to.is_dir():
        raise InputError(
            f"--out {to} is a folder; name a file, such as {to / Path(what).with_suffix(first)}."
        )
    if to.suffix.lower() in _OTHERS - {*suffixes}:
        raise InputError(
            f"--out {to}: `cuello {what}` writes {' or '.join(suffixes)} files; write "
            f"{to.with_suffix(first)}."
        )
    if to.exists() and run.is_dir() and to.parent.samefile(run):
        raise InputError(f"--out {to} is a file of the run; choose another place.")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (embed, reconstruct, classify):
        app.command(cls=FlagCommand)(command)
