"""`cuello app`: a run in the browser, with what needs Python behind it."""

from __future__ import annotations

from typing import Annotated

import typer

from cuello.cli.apply import RunArgument, TrustOption
from cuello.cli.console import out
from cuello.cli.flags import FlagCommand
from cuello.cli.interrupt import importing
from cuello.cli.options import expanded
from cuello.errors import InputError

__all__ = ["add_to"]


def app(
    run: RunArgument,
    host: Annotated[
        str, typer.Option(help="What to listen on; 127.0.0.1 is this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: a free one.", min=0, max=65535)] = 0,
    trust: TrustOption = False,
) -> None:
    """Serve a run, finished or still training, to a browser until Ctrl-C."""
    with importing():
        try:
            from cuello.server import serve
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("cuello"):
                raise
            raise InputError(
                f"`cuello app` needs {error.name}, which is not installed; install it with: "
                'pip install "cuello[app]"'
            ) from None
    path = expanded(run)
    serve(
        path,
        host=host,
        port=port,
        trust=trust,
        say=lambda address: out.print(f"{path}: {address} (Ctrl-C ends it)", soft_wrap=True),
    )


def add_to(app_: typer.Typer) -> None:
    """Add the command."""
    app_.command(cls=FlagCommand)(app)
