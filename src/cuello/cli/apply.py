"""`cuello embed`, `reconstruct` and `classify`: a run folder at work on further data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cuello.cli.console import out

__all__ = ["add_to"]

RunArgument = Annotated[Path, typer.Argument(help="A finished run folder.", metavar="RUN")]
DataArgument = Annotated[str, typer.Argument(help="A named set or a path.", metavar="DATA")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The file to write.")]
SkipOption = Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable files out.")]


def embed(
    run: RunArgument, data: DataArgument, to: OutOption, skip_bad: SkipOption = False
) -> None:
    """Write the code of every row to Parquet."""
    _apply("embed", run, data, to, skip_bad)


def reconstruct(
    run: RunArgument, data: DataArgument, to: OutOption, skip_bad: SkipOption = False
) -> None:
    """Write every row after encoding and decoding, and its error, to .npz."""
    _apply("reconstruct", run, data, to, skip_bad)


def classify(
    run: RunArgument, data: DataArgument, to: OutOption, skip_bad: SkipOption = False
) -> None:
    """Write the class of every row and its probability to CSV."""
    _apply("classify", run, data, to, skip_bad)


def _apply(what: str, run: Path, data: str, to: Path, skip_bad: bool) -> None:
    from cuello.pipeline import open_run

    opened = open_run(run)
    rows = opened.load(data, skip_bad=skip_bad)
    for note in rows.notes:
        out.print(f"note: {note}", markup=False, soft_wrap=True)
    count = getattr(opened, what)(rows, to)
    out.print(f"{count:,} rows: {to}", markup=False, soft_wrap=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (embed, reconstruct, classify):
        app.command()(command)
