"""Options of the command line, made from :class:`~cuello.options.Option`, and values read back."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cuello.errors import InputError
from cuello.options import Option, Seconds

__all__ = [
    "OutOption",
    "RunArgument",
    "TrustRemoteCodeOption",
    "absolute",
    "expanded",
    "option_parameter",
    "parse_value",
]

RunArgument = Annotated[Path, typer.Argument(help="A finished run folder.", metavar="RUN")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The file to write.")]
TrustRemoteCodeOption = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code", help="Import and run the user-defined networks that the run names."
    ),
]

FLAGS: Mapping[str, tuple[str, ...]] = {
    "latent_dim": ("--latent", "--latent-dim"),
    "max_time": ("--time", "--max-time"),
    "learning_rate": ("--learning-rate", "--lr"),
    "initializer": ("--initializer", "--initialiser"),
    "optimizer": ("--optimizer", "--optimiser"),
    "patience": ("--patience", "--early-stopping"),
}
"""Flags that are not the option's name with dashes."""

_TYPES: Mapping[str, type] = {"bool": bool, "int": int, "float": float}


def option_parameter(option: Option, panel: str) -> inspect.Parameter:
    """Return an option as a parameter of a function that typer reads."""
    flags = FLAGS.get(option.name, (f"--{option.name.replace('_', '-')}",))
    kind = _TYPES.get(option.type.removesuffix(" | None"), str)
    if isinstance(option.range, Seconds):
        kind = str
    if kind is bool:
        flags = (f"{flags[0]}/--no-{flags[0][2:]}",) if option.default is not False else flags
    optional = not isinstance(option.default, kind)
    default = "none" if option.default is None else str(option.default)
    details = typer.Option(
        *flags,
        help=_help(option),
        rich_help_panel=panel,
        show_default=default if optional and kind is not bool else True,
    )
    annotation: Any = Annotated[(kind | None) if optional else kind, details]
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None if optional else option.default,
        annotation=annotation,
    )


def _help(option: Option) -> str:
    text = option.help
    if option.choices and not all(choice in text for choice in option.choices):
        text = f"{text} One of: {', '.join(option.choices)}."
    if option.range is not None and str(option.range) not in text:
        text = f"{text} Allowed: {option.range}."
    return text.strip()


def parse_value(option: Option, value: Any) -> Any:
    """Return the value of an option from the typed text; values that typer has read stay."""
    if not isinstance(value, str):
        return option.default if value is None else value
    if "Sequence[int]" in option.type:
        return _integers(option.name, value)
    if "tuple[int, int]" in option.type:
        return _size(option.name, value)
    if isinstance(option.range, Seconds):
        return option.range.read(option.name, value)
    if "int" in option.type and value != option.default:
        return _number(option, value, int)
    if "float" in option.type and value != option.default:
        return _number(option, value, float)
    return value


def _number(option: Option, text: str, kind: type[int] | type[float]) -> Any:
    if "str" in option.type and text == "auto":
        return text
    try:
        return kind(text)
    except ValueError:
        noun = "an integer" if kind is int else "a number"
        also = ", or 'auto'" if "str" in option.type else ""
        raise InputError(argument=option.name, value=text, allowed=f"{noun}{also}") from None


def _integers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(
            argument=name, value=text, allowed="whole numbers with commas between, such as 512,256"
        ) from None


def _size(name: str, text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and 0 < int(part) <= 65535 for part in parts):
        raise InputError(
            argument=name,
            value=text,
            allowed="a size from 1 to 65535: 28, or 28x32 (height x width)",
        )
    return int(parts[0]), int(parts[-1])


def expanded(path: Path) -> Path:
    """Put the home folder in for ``~``, which no shell does in ``--out=~/runs``."""
    return Path(os.path.expanduser(path))


def absolute(spec: str) -> str:
    """Return a path that means the same in another working directory; names of sets stay names."""
    from cuello.data import NAMED_SETS

    path = Path(os.path.expanduser(spec))
    is_set = spec.partition(":")[0] in NAMED_SETS
    return str(path.absolute()) if path.exists() and not is_set else spec
