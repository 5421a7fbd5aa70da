"""The program: its commands, and what becomes of their errors."""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer

from cuello.cli import anomalies, apply, decode, export, fit, kinds, look, page, study, suggest
from cuello.cli import app as app_command
from cuello.cli.console import complain, out

__all__ = ["app", "run"]

app = typer.Typer(
    name="cuello",
    help="Autoencoders made practical: many examples, few labels, one command.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from cuello import __version__

        out.print(f"cuello {__version__}")
        raise typer.Exit


@app.callback()
def _general(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


fit.add_to(app)
apply.add_to(app)
decode.add_to(app)
suggest.add_to(app)
anomalies.add_to(app)
export.add_to(app)
app_command.add_to(app)
look.add_to(app)
page.add_to(app)
kinds.add_to(app)
study.add_to(app)
for _plugin in entry_points(group="cuello.commands"):
    _plugin.load()(app)


# Its name has moved between typer's versions; its place above BadParameter has not.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def run() -> int:
    """Run a command; return 0: done, 1: a bug of ours, 2: something to put right, 130: Ctrl-C."""
    from cuello.errors import CuelloError

    _print_anything()
    try:
        # typer itself would frame its complaints in five lines, and take Ctrl-C for an exit code.
        code = app(standalone_mode=False)
        return complain("interrupted.", 130) if code == 130 else int(code or 0)
    except CuelloError as error:
        return complain(str(error), 2)
    except _UsageError as error:
        text = error.format_message()  # type: ignore[attr-defined]
        return complain(f"{text.rstrip('.')}; see cuello --help.", 2) if text else 2
    except (KeyboardInterrupt, typer.Abort):
        return complain("interrupted.", 130)
    except (OSError, MemoryError) as error:
        return complain(f"{type(error).__name__}: {error}", 2)
    except Exception as error:
        if os.environ.get("CUELLO_DEBUG"):
            raise
        text = str(error).splitlines()[0] if str(error) else ""
        if "allocate memory" in text or type(error).__name__ == "OutOfMemoryError":
            return complain(f"not enough memory ({text}); try a smaller --hidden.", 2)
        return complain(
            f"this is a bug in cuello: {type(error).__name__}: {text} "
            "(set CUELLO_DEBUG=1 to see where, and please report it).",
            1,
        )


def _print_anything() -> None:
    # A terminal that knows no "±", or a file name that is no text, must not end hours of work.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
