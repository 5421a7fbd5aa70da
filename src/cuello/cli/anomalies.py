"""`cuello anomalies`: anomaly scores of further data, and the reasons for them."""

from __future__ import annotations

from typing import Annotated

import typer

from cuello.cli.apply import open_and_read
from cuello.cli.command import command
from cuello.cli.console import out
from cuello.cli.options import (
    DataArgument,
    OutOption,
    RunArgument,
    SkipOption,
    TrustRemoteCodeOption,
    parse_share,
)

__all__: list[str] = []


@command(
    "Apply to data",
    examples=(
        "cuello anomalies runs/sensors sensors.csv -o scores.csv",
        "cuello anomalies runs/sensors sensors.csv -o scores.csv --false-positive-rate 5%",
    ),
)
def anomalies(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    false_positive_rate: Annotated[
        str, typer.Option(help="Share of normal rows that may be flagged: 1%, or 0.01.")
    ] = "1%",
    contamination: Annotated[
        str | None,
        typer.Option(help="Share of these rows that are anomalies (5%): sets the threshold."),
    ] = None,
    method: Annotated[
        str, typer.Option(help="Anomaly score: combined, or a single one, such as reconstruction.")
    ] = "combined",
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write the anomaly score of every row, and what it comes from, to CSV."""
    rate = parse_share("false_positive_rate", false_positive_rate)
    share = None if contamination is None else parse_share("contamination", contamination)
    opened, samples, to = open_and_read(
        run, data, to, (".csv",), skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    result = opened.anomalies(
        samples, to, method=method, false_positive_rate=rate, contamination=share
    )
    out.print(f"{result.summary()}: {to}", soft_wrap=True)
