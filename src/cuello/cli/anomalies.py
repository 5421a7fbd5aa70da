"""`cuello anomalies`: rows that a run finds strange, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from cuello.cli.apply import (
    DataArgument,
    OutOption,
    RunArgument,
    SkipOption,
    TrustRemoteCodeOption,
    opened_and_read,
)
from cuello.cli.console import out
from cuello.cli.flags import FlagCommand
from cuello.cli.options import expanded

__all__ = ["add_to"]


def anomalies(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    false_positive_rate: Annotated[
        str, typer.Option(help="How many usual rows may be called anomalies: 1%, or 0.01.")
    ] = "1%",
    contamination: Annotated[
        str | None,
        typer.Option(help="How many of these rows are anomalies (5%): sets the threshold instead."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="combined, reconstruction, neighbours, mahalanobis, rows, nearest, edges or "
            "likelihood."
        ),
    ] = "combined",
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write how strange every row is, and what about it is, to CSV."""
    allowed = _share("--false-positive-rate", false_positive_rate)
    given = None if contamination is None else _share("--contamination", contamination)
    to = expanded(to)
    opened, rows = opened_and_read(
        "anomalies", run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    found = opened.anomalies(
        rows, to, method=method, false_positive_rate=allowed, contamination=given
    )
    out.print(f"{found.summary()}: {to}", soft_wrap=True)


def _share(flag: str, text: str) -> float:
    """Read ``1%`` or ``0.01``."""
    number = text.strip()
    try:
        share = float(number[:-1]) / 100.0 if number.endswith("%") else float(number)
    except ValueError:
        share = float("nan")
    if not 0.0 < share < 1.0:
        raise typer.BadParameter(f"{flag} {text} is no share; give 1% or 0.01.")
    return share


def add_to(app: typer.Typer) -> None:
    """Enter the command."""
    app.command(cls=FlagCommand)(anomalies)
