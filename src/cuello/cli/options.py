"""Options of a kind, read from its signature: `--noise-level 0.3` needs no code here."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from cuello.cli.flags import flag as flag_of
from cuello.errors import InputError

__all__ = ["expanded", "given", "parse_kind_options", "parse_widths"]

_PARSERS: dict[str, Any] = {"int": int, "float": float, "str": str}


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


def parse_widths(text: str) -> tuple[int, ...]:
    """Read `512,256`; an empty text is no hidden layer.

    Examples
    --------
    >>> parse_widths("512,256")
    (512, 256)
    """
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(
            f"--hidden {text} is not a list of widths; write for example --hidden 512,256."
        ) from None


def parse_kind_options(
    arguments: list[str], kind: str, own: dict[str, inspect.Parameter], general: Iterable[str]
) -> tuple[str | None, dict[str, Any]]:
    """Turn what the general options left on the command line into data and options of a kind.

    Returns
    -------
    data : str or None
        The one argument that belongs to no option.
    chosen : dict

    Raises
    ------
    InputError
        If an argument is no option of the kind (names the nearest), or there are two data.
    """
    data: str | None = None
    chosen: dict[str, Any] = {}
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if not argument.startswith("-"):
            if data is not None:
                raise InputError(
                    f"{argument}: the data is {data} already; name one set or path, and put "
                    "quotes around a path with spaces."
                )
            data = argument
            continue
        flag, has_value, value = argument.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or name not in own:
            raise _unknown_option(flag, kind, own, general)
        if not has_value:
            if not left:
                raise InputError(f"{flag} needs a value.")
            value = left.pop(0)
        chosen[name] = _parse(flag, value, own[name])
    return data, chosen


def _parse(flag: str, value: str, parameter: inspect.Parameter) -> Any:
    wanted = str(parameter.annotation)
    if wanted == "bool":
        truths = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
        if value.lower() not in truths:
            raise InputError(f"{flag} {value}: write yes or no.")
        return truths[value.lower()]
    try:
        return _PARSERS.get(wanted, str)(value)
    except ValueError:
        raise InputError(
            f"{flag} {value}: not a number; the default is {parameter.default}."
        ) from None


def _unknown_option(flag: str, kind: str, own: Iterable[str], general: Iterable[str]) -> InputError:
    from cuello import kinds

    flags = [flag_of(name) for name in own]
    others = [name for name in kinds.KINDS if flag in map(flag_of, kinds.options(name))]
    if others:
        return InputError(
            f"{flag} is an option of --kind {' and --kind '.join(others)}, not of --kind {kind}; "
            "leave it out or choose that kind."
        )
    near = difflib.get_close_matches(flag, [*flags, *general], n=2, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    return InputError(
        f"{flag} is not an option of `cuello fit`{hint} Options of --kind {kind}: "
        f"{', '.join(flags) or 'none'}; see cuello fit --help."
    )
