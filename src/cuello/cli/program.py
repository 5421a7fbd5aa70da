"""The program: its commands, and the exit codes of their errors."""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from cuello.cli.command import COMMANDS, PANELS, UsageError, examples_text
from cuello.cli.console import complain, out

__all__ = ["build_app", "run"]


def _print_version(wanted: bool) -> None:
    if wanted:
        from cuello import __version__

        out.print(f"cuello {__version__}")
        raise typer.Exit


def _general(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


def build_app() -> typer.Typer:
    """Return the program, with the commands of all modules beside this one and of plug-ins."""
    app = typer.Typer(
        name="cuello",
        help="Autoencoders made practical: many examples, few labels, one command.",
        epilog=examples_text(("cuello fit digits --labels 100", "cuello page runs/digits")),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_general)
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"cuello.cli.{module.name}")  # each registers its commands
    for plugin in entry_points(group="cuello.cli"):
        plugin.load()
    for name, entry in sorted(COMMANDS.items(), key=lambda item: PANELS.index(item[1].panel)):
        app.command(
            name, cls=entry.cls, epilog=examples_text(entry.examples), rich_help_panel=entry.panel
        )(entry.run)
    return app


def run() -> int:
    """Run a command; return 0: done, 1: a bug of ours, 2: something to put right, 130: Ctrl-C."""
    from cuello.errors import CuelloError

    # A terminal that knows no "±", or a file name that is no text, must not end hours of work.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # typer itself would frame its complaints in five lines, and take Ctrl-C for an exit code.
        code = build_app()(standalone_mode=False)
        return complain("interrupted.", 130) if code == 130 else int(code or 0)
    except CuelloError as error:
        return complain(str(error), 2)
    except UsageError as error:
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
            "(set CUELLO_DEBUG=1 for the traceback, and please report it).",
            1,
        )
