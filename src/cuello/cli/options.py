"""General options, as they are typed."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from cuello.errors import InputError

__all__ = ["absolute", "expanded", "given", "parse_size", "parse_widths"]


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


def absolute(spec: str) -> str:
    """Return a path that means the same in another working directory; names of sets stay names."""
    path = Path(os.path.expanduser(spec))
    return str(path.absolute()) if path.exists() and not _is_set(spec) else spec


def _is_set(spec: str) -> bool:
    from cuello.data import NAMED_SETS

    return spec.partition(":")[0] in NAMED_SETS


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read a size in pixels, height x width; None stays None.

    Examples
    --------
    >>> parse_size("28"), parse_size("28x32")
    ((28, 28), (28, 32))
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and 0 < int(part) <= 65535 for part in parts):
        raise InputError(
            f"--image-size {text} is not a size from 1 to 65535; write 28, or 28x32 "
            "(height x width)."
        )
    return int(parts[0]), int(parts[-1])
