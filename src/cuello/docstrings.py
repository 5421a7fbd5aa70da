"""Docstrings in numpydoc form, read for help texts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Description", "describe"]


@dataclass(frozen=True)
class Description:
    """What a docstring says.

    Parameters
    ----------
    summary : str
        Its first line.
    text : str
        The paragraphs between that line and the list of parameters.
    parameters : dict of str to str
        What it says of each parameter.
    """

    summary: str
    text: str
    parameters: Mapping[str, str]


def describe(made: object) -> Description:
    """Read the numpydoc of a class or function, without the marks that only built docs need."""
    before, _, parameters = (inspect.getdoc(made) or "").partition("\nParameters\n")
    summary, _, text = before.partition("\n\n")
    helps = {name: _plain(text) for name, text in _parameters(parameters).items()}
    return Description(_plain(" ".join(summary.split())), _plain(text.strip()), helps)


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
    return re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "")
