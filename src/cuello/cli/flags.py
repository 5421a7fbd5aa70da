"""Errors name arguments the way Python does; at the command line they are said as flags."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand

from cuello.errors import DataError, DivergedError, InputError

__all__ = ["FlagCommand", "flag", "in_flags"]


def flag(name: str) -> str:
    """Return the flag of an option of a kind.

    Examples
    --------
    >>> flag("noise_level")
    '--noise-level'
    """
    return f"--{name.replace('_', '-')}"


def in_flags(text: str, flags: Mapping[str, str]) -> str:
    """Say what a text says of arguments as it would be typed.

    Examples
    --------
    >>> flags = {"latent_dim": "--latent", "allow_overcomplete": "--allow-overcomplete"}
    >>> in_flags("latent_dim=9 must be below 9, or set allow_overcomplete=True.", flags)
    '--latent 9 must be below 9, or give --allow-overcomplete.'
    >>> in_flags("use augment=None for tables.", {"augment": "--augment"})
    'leave --augment out for tables.'
    """

    def said(found: re.Match[str]) -> str:
        flag, value = flags[found["name"]], found["value"]
        if value == "True":
            return f"give {flag}" if found["verb"] else flag
        if value in ("False", "None"):
            return f"leave {flag} out"
        if value[:1] in ("'", '"'):
            value = shlex.quote(value[1:-1])
        elif value.startswith("("):
            value = value.strip("(,)").replace(" ", "")
        return f"{found['verb'] or ''}{flag} {value}"

    alone = r"(?<![\w/.='\"-])"  # and not part of a path, a quotation or another option
    names = "|".join(map(re.escape, flags))
    value = r"""(?P<value>'[^']*'|"[^"]*"|\([\d, ]*\)|\w*)(?: \(--[\w-]+\))?"""
    text = re.sub(rf"{alone}(?P<verb>set |use )?\b(?P<name>{names})={value}", said, text)
    # Without a value, only a name with an underscore is sure to be no ordinary word.
    bare = "|".join(re.escape(name) for name in flags if "_" in name) or "(?!)"
    text = re.sub(rf"{alone}({bare})(?![\w/.=])", lambda found: flags[found[0]], text)
    return re.sub(r"\bor (None|'auto')(?!\w)", "or leave it out", text)


class FlagCommand(TyperCommand):
    """A command whose errors speak of its options as they are typed.

    ``context.obj`` may hold the names of further options, those of a kind.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (InputError, DivergedError, DataError) as error:
            text, flags = str(error), _flags(ctx)
            if isinstance(error, DataError):
                # It names an option beside its flag; any other "name=value" is one of the data.
                flags = {name: flag for name, flag in flags.items() if f"({flag})" in text}
            if flags:
                error.args = (in_flags(text, flags),)
            raise


def _flags(context: Any) -> dict[str, str]:
    flags = {
        str(parameter.name): str(parameter.opts[0])
        for parameter in context.command.params
        if parameter.param_type_name == "option"
    }
    own = list(context.obj or ())
    flags |= {name: flag(name) for name in own}
    for name in own:
        whole, _, part = name.partition("_")
        if whole in own and part:  # what --noise names calls its --noise-level "level"
            flags.setdefault(part, flag(name))
    return flags
