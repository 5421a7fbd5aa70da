"""`cuello lab`: published experiments and their results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cuello.cli import importing
from cuello.cli.command import command
from cuello.cli.console import Bars, complain, out
from cuello.cli.options import expanded
from cuello.errors import CuelloError

if TYPE_CHECKING:
    from cuello_labs.running import Ended

__all__: list[str] = []

_MARKS = {True: "holds", False: "does not hold", None: "is not decided"}


@command(
    "Experiments",
    examples=("cuello lab", "cuello lab font-architecture --quick"),
)
def lab(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Name of a lab, or all; without it they are listed.", show_default=False
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few and small trials: under a minute each.")
    ] = False,
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="Gets one folder a lab.", metavar="<path>")
    ] = Path("labs"),
) -> None:
    """Run a published experiment, and write a page with the published figures beside ours."""
    with importing():
        import cuello_labs as labs
        from cuello_labs.running import write_index

    if name is None:
        table = Table(caption="`cuello lab NAME` runs one, `cuello lab all` all of them")
        table.add_column("lab", no_wrap=True)
        table.add_column("claim")
        for each in labs.names():
            table.add_row(each, labs.get(each).claim)
        out.print(table)
        return
    folder = expanded(folder)
    if name != "all":
        _run(name, folder, quick=quick)
        return
    ended, failed = [], []
    for each in labs.names():
        try:
            ended.append(_run(each, folder, quick=quick))
        except CuelloError as error:  # the others may have what this one lacks
            complain(f"{each}: {error}", 2)
            failed.append(each)
    if ended:
        out.print(f"all labs: {write_index(ended, folder)}", soft_wrap=True)
    if failed:
        sys.exit(complain(f"not run: {', '.join(failed)}.", 2))


def _run(name: str, folder: Path, *, quick: bool) -> Ended:
    import cuello_labs as labs
    from cuello.train.progress import quiet
    from cuello_labs.running import run_lab

    experiment = labs.get(name)
    try:
        with Bars() as bars, quiet():
            ended = run_lab(
                experiment,
                folder,
                quick=quick,
                progress=lambda done, total: bars.update(name, done, total),
            )
    except KeyboardInterrupt:
        sys.exit(complain("interrupted; finished trials are kept: run it again to go on.", 130))
    out.print(f"The statement {_MARKS[ended.findings.holds]}. {ended.findings.verdict}")
    out.print(f"page: {ended.page}", soft_wrap=True)
    return ended
