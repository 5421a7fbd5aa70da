"""`cuello page`: one HTML file to explore a run in, or two beside one another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cuello.cli.command import command
from cuello.cli.console import out
from cuello.cli.interrupt import importing
from cuello.cli.look import complete
from cuello.cli.options import TrustRemoteCodeOption, expanded
from cuello.errors import InputError

__all__: list[str] = []


@command(
    "Look at results",
    examples=("cuello page runs/digits -o page.html", "cuello page runs/a runs/b -o both.html"),
)
def page(
    run: Annotated[Path, typer.Argument(help="A finished run folder.", metavar="RUN")],
    other: Annotated[
        Path | None,
        typer.Argument(help="A second one, to compare with.", metavar="[RUN2]", show_default=False),
    ] = None,
    to: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write.", show_default=True)
    ] = Path("page.html"),
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write one offline HTML file to explore a run: its models run in the browser."""
    with importing():
        from cuello import atomic
        from cuello.run import open_run
        from cuello.web import build_page
    to = expanded(to)
    _check_out(to)
    paths = [expanded(path) for path in (run, other) if path is not None]
    with complete(" or ".join(map(str, paths))):
        made = build_page(*(open_run(path, trust_remote_code=trust_remote_code) for path in paths))
    html = made.html.encode()
    atomic.write_bytes(to, html)
    for note in made.notes:
        out.print(f"note: {note}", soft_wrap=True)
    out.print(f"{len(html) / 1e6:.1f} MB: {to}", soft_wrap=True)


def _check_out(to: Path) -> None:
    """Refuse, before any work, what is no place for a page."""
    if to.is_dir():
        raise InputError(f"--out {to} is a folder; name a file, such as {to / 'page.html'}.")
    if to.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {to}: `cuello page` writes HTML; write {to.with_suffix('.html')}.")
    if to.name == "report.html":
        raise InputError(
            f"--out {to}: report.html is the report of a run; choose another name, such as "
            f"{to.with_name('page.html')}."
        )
