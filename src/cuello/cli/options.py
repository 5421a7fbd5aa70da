"""Options of a kind, read from its signature: `--noise-level 0.3` needs no code here."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from typing import Any

from cuello.errors import InputError

__all__ = ["parse_kind_options", "parse_widths"]

_PARSERS: dict[str, Any] = {"int": int, "float": float, "str": str}


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
) -> dict[str, Any]:
    """Turn what is left on the command line into the options of a kind.

    Raises
    ------
    InputError
        If an argument is no option of the kind; names the nearest.
    """
    chosen: dict[str, Any] = {}
    left = list(arguments)
    while left:
        flag, has_value, value = left.pop(0).partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or name not in own:
            raise _unknown_option(flag, kind, own, general)
        if not has_value:
            if not left:
                raise InputError(f"{flag} needs a value.")
            value = left.pop(0)
        chosen[name] = _parse(flag, value, own[name])
    return chosen


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
    flags = [f"--{name.replace('_', '-')}" for name in own]
    near = difflib.get_close_matches(flag, [*flags, *general], n=2, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    return InputError(
        f"{flag} is not an option of `cuello fit`{hint} Options of --kind {kind}: "
        f"{', '.join(flags) or 'none'}; see cuello fit --help."
    )
