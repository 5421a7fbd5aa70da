"""`cuello study`: the effect of options, over values and seeds."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cuello.cli import importing
from cuello.cli.command import command
from cuello.cli.console import Bars, complain, out, say
from cuello.cli.options import expanded
from cuello.errors import CuelloError, InputError

__all__: list[str] = []

_SHOWN = 20


@command(
    "Experiments",
    examples=("cuello study rates.toml", "cuello study search.toml --workers 2 --refit runs/best"),
)
def study(
    file: Annotated[
        Path, typer.Argument(help="A TOML file: data, options, grid or search.", metavar="FILE")
    ],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where results go.", metavar="<path>", show_default="studies/NAME"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes of a search.", min=1)] = 1,
    refit: Annotated[
        Path | None,
        typer.Option(
            help="Train with the best options once more, as a normal run in this folder.",
            metavar="<path>",
            show_default="no",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that --refit names.")
    ] = False,
) -> None:
    """Try every combination of some values, or search for the best, with several seeds.

    Started again, it runs only the trials that are missing.
    """
    record = _read(expanded(file))
    if overwrite and refit is None:
        raise InputError("--overwrite goes with --refit; leave it out.")
    with importing():
        from cuello.run.folder import RunFolder
        from cuello.study import MEASURES, Study, best_of, run_study
        from cuello.study import refit as fit_again
        from cuello.study.summary import option_text

    with _names_of_the_file():
        planned = Study.of(record)
    if workers > 1 and planned.grid:
        raise InputError("--workers is for a search; a grid trains its networks together anyway.")
    if refit is not None:
        planned.check_choice()  # refuses, before hours are spent on trials
    if refit is not None and not overwrite:
        RunFolder(expanded(refit)).refuse_to_replace()
    path = Path("studies") / file.stem if folder is None else expanded(folder)
    try:
        with Bars() as bars, _names_of_the_file():
            rows = run_study(
                planned,
                path,
                workers=workers,
                progress=lambda done, total: bars.update("trials", done, total),
                say=bars.say,
            )
    except KeyboardInterrupt:
        text = "interrupted; finished trials are kept: run it again to go on."
        sys.exit(complain(text, 130))
    table = Table(title=MEASURES[planned.measure])
    names = list(planned.grid or planned.search)
    for name in (*names, "seeds", "mean ± sd", "95 % interval of the mean"):
        table.add_column(name, overflow="fold")
    for row in rows[:_SHOWN]:
        measured = row.measured[planned.measure]
        interval = f"{measured.low:.4g} to {measured.high:.4g}" if measured.count > 1 else "-"
        varied = [option_text(row.varied[name]) for name in names]
        table.add_row(*varied, str(measured.count), str(measured), interval)
    if len(rows) > _SHOWN:
        table.caption = f"{len(rows) - _SHOWN} more in table.csv"
    out.print(table)
    say(f"page: {path / 'index.html'}")
    if refit is not None:
        run = fit_again(planned, best_of(planned, rows), expanded(refit), overwrite=overwrite)
        say(f"the best again, as a run: {run.report}")


@contextmanager
def _names_of_the_file() -> Iterator[None]:
    """Write the options in errors as the file does, not as flags."""
    try:
        yield
    except CuelloError as error:
        raise CuelloError(str(error)) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file} does not exist; give a TOML file of a study.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no TOML: {error}.") from error
