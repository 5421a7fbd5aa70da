"""What a kind is in words, read from its class: the command line and the docs show it."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

from cuello.kinds.base import KINDS, options

__all__ = ["Description", "Option", "describe"]


@dataclass(frozen=True)
class Option:
    """An option of a kind: ``help`` is what the class says of it."""

    name: str
    type: str
    default: Any
    help: str


@dataclass(frozen=True)
class Description:
    """A kind in words."""

    name: str
    summary: str
    """First line of the docstring."""
    text: str
    """The paragraphs before the list of parameters, without the first line."""
    equation: str
    paper: str
    needs_labels: bool
    options: tuple[Option, ...]


def describe(kind: str) -> Description:
    """Read what a kind's class says of itself.

    Raises
    ------
    InputError
        If the kind is not known.

    Examples
    --------
    >>> describe("plain").equation
    'loss(x, decode(encode(x)))'
    """
    own = options(kind)
    made = KINDS[kind]
    before, _, parameters = (inspect.getdoc(made) or "").partition("\nParameters\n")
    summary, _, text = before.partition("\n\n")
    helps = _parameters(parameters)
    return Description(
        name=kind,
        summary=_plain(" ".join(summary.split())),
        text=_plain(text.strip()),
        equation=made.equation,
        paper=made.paper,
        needs_labels=made.needs_labels,
        options=tuple(
            Option(name, str(p.annotation), p.default, _plain(helps.get(name, "")))
            for name, p in own.items()
        ),
    )


def _parameters(section: str) -> dict[str, str]:
    """Read ``name : type`` followed by indented lines; several names may share their lines."""
    found: dict[str, str] = {}
    names: list[str] = []
    lines: list[str] = []
    for line in [*section.splitlines(), "end : of section"]:
        head = re.fullmatch(r"(\w[\w, ]*?)(?: : .*)?", line)
        if head and not line.startswith(" "):
            found |= {name: " ".join(" ".join(lines).split()) for name in names}
            names, lines = [name.strip() for name in head[1].split(",")], []
        else:
            lines.append(line)
    return found


def _plain(text: str) -> str:
    """Take out what only the built docs understand."""
    return re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "")
