"""`cuello suggest`: which rows to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cuello.cli.apply import (
    DataArgument,
    RunArgument,
    SkipOption,
    TrustRemoteCodeOption,
    opened_and_read,
)
from cuello.cli.console import out
from cuello.cli.flags import FlagCommand
from cuello.cli.options import expanded
from cuello.errors import InputError

__all__ = ["add_to"]

DEFAULT = Path("suggestions.csv")


def suggest(
    run: RunArgument,
    data: DataArgument,
    number: Annotated[int, typer.Option("--number", "-n", help="How many rows.", min=1)] = 50,
    to: Annotated[
        Path | None, typer.Option("--out", "-o", help=f"The file to write; default {DEFAULT}.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed suggests the same rows.", min=0)] = 0,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write the rows whose labels would help most, and why, to CSV."""
    # Somebody may have filled labels in by now: only who names the file replaces it.
    if to is None and DEFAULT.exists():
        raise InputError(f"{DEFAULT} is there already; name the file to write with --out.")
    to = DEFAULT if to is None else expanded(to)
    opened, rows = opened_and_read(
        "suggest", run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    count = opened.suggest(rows, number, to, seed=seed)
    fewer = "" if count == number else " (no more are without a label)"
    out.print(f"{count:,} rows to label{fewer}: {to}", soft_wrap=True)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=FlagCommand)(suggest)
