"""`cuello suggest`: the samples to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cuello.cli.apply import open_and_read
from cuello.cli.command import command
from cuello.cli.console import out
from cuello.cli.options import DataArgument, RunArgument, SkipOption, TrustRemoteCodeOption
from cuello.errors import InputError

__all__: list[str] = []

_DEFAULT_OUT = Path("suggestions.csv")


@command(
    "Apply to data",
    examples=(
        "cuello suggest runs/digits digits -n 20",
        "cuello suggest runs/scans scans/ -n 50 -o to_label.csv",
    ),
)
def suggest(
    run: RunArgument,
    data: DataArgument,
    number: Annotated[int, typer.Option("--number", "-n", help="Number of rows.", min=1)] = 50,
    to: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file to write.", show_default=str(_DEFAULT_OUT)),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed suggests the same rows.", min=0)] = 0,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write the rows whose labels would help most, and why, to CSV."""
    # Somebody may have filled labels in by now: only who names the file replaces it.
    if to is None and _DEFAULT_OUT.exists():
        raise InputError(
            "exists already",
            value=str(_DEFAULT_OUT),
            remedy="name the file to write with --out",
        )
    opened, samples, to = open_and_read(
        run,
        data,
        to or _DEFAULT_OUT,
        (".csv",),
        skip_bad=skip_bad,
        trust_remote_code=trust_remote_code,
    )
    count = opened.suggest(samples, number, to, seed=seed)
    fewer = "" if count == number else " (no more are unlabelled)"
    out.print(f"{count:,} rows to label{fewer}: {to}", soft_wrap=True)
