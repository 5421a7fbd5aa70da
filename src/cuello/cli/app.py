"""`cuello app`: a run in the browser, with what needs Python behind it."""

from __future__ import annotations

from types import ModuleType
from typing import Annotated

import typer

from cuello.cli.command import command
from cuello.cli.console import out
from cuello.cli.interrupt import importing
from cuello.cli.options import RunArgument, TrustRemoteCodeOption, expanded
from cuello.errors import InputError

__all__ = ["import_server"]


@command(
    "Look at results",
    examples=("cuello app runs/digits", "cuello app runs/digits --port 8000"),
)
def app(
    run: RunArgument,
    host: Annotated[
        str, typer.Option(help="What to listen on; 127.0.0.1 is this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: a free one.", min=0, max=65535)] = 0,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Serve a run, finished or still training, to a browser until Ctrl-C."""
    path = expanded(run)
    import_server("cuello app").serve(
        path,
        host=host,
        port=port,
        trust_remote_code=trust_remote_code,
        report_address=lambda address: out.print(
            f"{path}: {address} (Ctrl-C ends it)", soft_wrap=True
        ),
    )


def import_server(command: str) -> ModuleType:
    """Return :mod:`cuello.server`.

    Raises
    ------
    InputError
        If what it needs is not installed.
    """
    with importing():
        try:
            import cuello.server
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("cuello"):
                raise
            raise InputError(
                f"`{command}` needs {error.name}, which is not installed; install it with: "
                'pip install "cuello[app]"'
            ) from None
    return cuello.server
