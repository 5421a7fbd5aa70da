"""Options: their type, default, range, choices and help, read from where they are defined."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from numbers import Real
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from cuello.errors import Argument, InputError, Use, unknown

__all__ = ["Option", "Range", "Seconds", "check_options", "describe", "read_options"]


@dataclass(frozen=True)
class Range:
    """Numbers that an option may take: ``Annotated[float, Range(0.0, 1.0)]``; None is no bound.

    ``open_low`` and ``open_high`` exclude the bound itself.
    """

    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = self.low is None or (value > self.low if self.open_low else value >= self.low)
        below = self.high is None or (value < self.high if self.open_high else value <= self.high)
        return above and below

    def __str__(self) -> str:
        """Return the range in words: ``0 or more and below 1``."""
        bounds = []
        if self.low is not None:
            bounds.append(f"above {self.low:g}" if self.open_low else f"{self.low:g} or more")
        if self.high is not None and self.high != float("inf"):
            bounds.append(f"below {self.high:g}" if self.open_high else f"at most {self.high:g}")
        return " and ".join(bounds)

    def check(self, name: str, value: float) -> None:
        """Raise an :class:`InputError` for a value outside the range, or NaN."""
        if value not in self:
            raise InputError(argument=name, value=value, allowed=str(self))


class Seconds(Range):
    """A range of seconds, which the command line also takes as ``90s``, ``5m`` or ``1h30m``."""

    @staticmethod
    def read(name: str, text: str) -> float:
        """Return the seconds of a text.

        >>> [Seconds.read("max_time", text) for text in ("90", "90s", "5m", "1h30m")]
        [90.0, 90.0, 300.0, 5400.0]
        """
        number = r"(\d+\.?\d*|\.\d+)"
        found = re.fullmatch(f"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", text.strip().lower())
        if found is None or not text.strip():
            allowed = "seconds above 0, or a time such as 90s, 5m or 1h30m"
            raise InputError(argument=name, value=text, allowed=allowed)
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return 3600 * hours + 60 * minutes + seconds


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option: one definition for signature, command line, docs and checks."""

    name: str
    type: str
    """The annotation, ``int | str`` for example."""
    default: Any
    help: str
    """From the docstring."""
    range: Range | None = None
    choices: tuple[str, ...] = ()
    """Allowed names, where they are a fixed set."""

    def check(self, value: Any) -> None:
        """Raise an :class:`InputError` for no choice, or no finite number in the range."""
        if self.choices and value not in self.choices:
            raise unknown(self.name, value, self.choices)
        types = self.type.split(" | ")
        if (value is None and "None" in types) or (isinstance(value, str) and "str" in types):
            return
        if not {"int", "float"} & set(types):
            return
        fraction = "float" in types
        number = isinstance(value, Real) and not isinstance(value, bool)
        number = number and math.isfinite(value) and (fraction or value == int(value))
        if not number or (self.range is not None and value not in self.range):
            allowed = "a finite number" if fraction else "a whole number"
            if self.range is not None:
                allowed += f", {self.range}"
            remedy = Use(self.name, self.default)
            raise InputError(argument=self.name, value=value, allowed=allowed, remedy=remedy)


def read_options(made: Callable[..., Any], *, skip: tuple[str, ...] = ()) -> dict[str, Option]:
    """Return the keyword-only options of a class or function, but those to skip.

    The signature gives type and default, numpydoc the help, and ``Annotated`` a :class:`Range`, or
    a mapping or tuple of the allowed names.
    """
    helps = describe(made).parameters
    # Fields of a dataclass are annotated where each was written, which may be another module.
    by_init = inspect.isclass(made) and not is_dataclass(made)
    target = made.__init__ if by_init else made
    try:
        hints = get_type_hints(target, include_extras=True)
    except NameError:  # names that only a type checker sees: no ranges are given there
        hints = {}
    options = {}
    for name, parameter in inspect.signature(made).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or name in skip:
            continue
        hint = hints.get(name)
        extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        written = str(parameter.annotation)
        options[name] = Option(
            name=name,
            type=re.sub(r"Annotated\[([^,]+),.*\]", r"\1", written),
            default=parameter.default,
            help=helps.get(name, ""),
            range=next((extra for extra in extras if isinstance(extra, Range)), None),
            choices=next((tuple(e) for e in extras if isinstance(e, Mapping | tuple)), ()),
        )
    return options


def check_options(
    argument: str, owner: Argument, options: Mapping[str, Option], chosen: Mapping[str, Any]
) -> None:
    """Refuse options that the ``owner`` does not have, and values that they cannot take."""
    for name, value in chosen.items():
        if name not in options:
            raise InputError(
                ("is not an option of ", owner),
                argument=argument,
                value=name,
                allowed=", ".join(sorted(options)) or "none",
            )
        options[name].check(value)


class Description(NamedTuple):
    """A docstring in numpydoc form, without the marks that only built docs need."""

    summary: str
    text: str
    """The paragraphs between the first one and the parameters."""
    parameters: Mapping[str, str]
    """The help of each."""


def describe(made: object) -> Description:
    """Return the description of a class or function."""
    before, _, section = (inspect.getdoc(made) or "").partition("\nParameters\n")
    summary, _, text = before.partition("\n\n")
    helps = {name: _plain_text(lines) for name, lines in _parameters(section).items()}
    return Description(_plain_text(" ".join(summary.split())), _plain_text(text.strip()), helps)


def _parameters(section: str) -> dict[str, str]:
    """Read ``name : type`` followed by indented lines; several names may share their lines."""
    helps: dict[str, str] = {}
    names: list[str] = []
    lines: list[str] = []
    for line in [*section.splitlines(), "end : of section"]:
        head = re.fullmatch(r"(\w[\w, ]*?)(?: : .*)?", line)
        if head and not line.startswith(" "):
            helps |= {name: " ".join(" ".join(lines).split()) for name in names}
            names, lines = [name.strip() for name in head[1].split(",")], []
        else:
            lines.append(line)
    return helps


def _plain_text(text: str) -> str:
    return re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "")
