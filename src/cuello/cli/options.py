"""General options, as they are typed."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from cuello.errors import InputError

__all__ = ["expanded", "given", "parse_widths"]


def expanded(path: Path) -> Path:
    """Put the home folder in for ``~``, which no shell does in ``--out=~/runs``."""
    return Path(os.path.expanduser(path))


def given(context: typer.Context) -> list[str]:
    """Return the general options that are on the command line.

    Raises
    ------
    InputError
        If one has the next option for its value, as in ``--out --overwrite``.
    """
    flags = []
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.param_type_name != "option" or source is None or source.name == "DEFAULT":
            continue
        flags.append(parameter.opts[0])
        value = str(context.params.get(str(parameter.name)))
        if value.startswith("--"):
            raise InputError(f"{flags[-1]} needs a value, and {value} looks like an option.")
    return flags


def parse_widths(text: str | None) -> tuple[int, ...] | None:
    """Read `512,256`; an empty text is no hidden layer, None is the network's own default.

    Examples
    --------
    >>> parse_widths("512,256")
    (512, 256)
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(
            f"--hidden {text} is not a list of widths; write for example --hidden 512,256."
        ) from None
