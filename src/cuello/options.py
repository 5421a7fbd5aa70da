"""Options: their type, default, range, choices and help, read from where they are defined."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from numbers import Real
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from cuello.docstrings import describe
from cuello.errors import Argument, InputError, Use, unknown

__all__ = ["Option", "Range", "check_options", "read_options"]


@dataclass(frozen=True)
class Range:
    """The numbers that an option may take, as in ``Annotated[float, Range(0.0, 1.0)]``.

    Parameters
    ----------
    low, high : float or None
        Bounds; None is no bound.
    open_low, open_high : bool
        Whether the bound itself is outside.
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
        """Write the range in words.

        Examples
        --------
        >>> str(Range(0.0, 1.0, open_high=True)), str(Range(1))
        ('0 or more and below 1', '1 or more')
        """
        bounds = []
        if self.low is not None:
            bounds.append(f"above {self.low:g}" if self.open_low else f"{self.low:g} or more")
        if self.high is not None and self.high != float("inf"):
            bounds.append(f"below {self.high:g}" if self.open_high else f"at most {self.high:g}")
        return " and ".join(bounds)

    def check(self, name: str, value: float) -> None:
        """Refuse a value outside the range.

        Raises
        ------
        InputError
            If it is outside, or NaN.
        """
        if value not in self:
            raise InputError(argument=name, value=value, allowed=str(self))


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option: one definition for signature, command line, docs and checks.

    Parameters
    ----------
    name : str
        As in the signature.
    type : str
        The annotation, ``int`` or ``int | str`` for example.
    default : object
        Its default.
    help : str
        What the docstring says of it.
    range : Range or None
        Allowed numbers.
    choices : tuple of str
        Allowed names, where they are a fixed set.
    """

    name: str
    type: str
    default: Any
    help: str
    range: Range | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> None:
        """Refuse a value that is not among the choices, or no finite number in the range.

        Raises
        ------
        InputError
            Which says what is allowed, and the default.
        """
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
    """Return the keyword-only options of a class or function, from its signature and docstring.

    Parameters
    ----------
    made : callable
        Numpydoc describes its parameters; ``Annotated`` may give a :class:`Range`, or a mapping of
        the allowed names.
    skip : tuple of str
        Options that are left out.

    Examples
    --------
    >>> def noisy(x, *, level: Annotated[float, Range(0.0)] = 0.3):
    ...     '''Add noise.
    ...
    ...     Parameters
    ...     ----------
    ...     level : float
    ...         Standard deviation.
    ...     '''
    >>> read_options(noisy)["level"].help
    'Standard deviation.'
    """
    helps = describe(made).parameters
    # Fields of a dataclass are annotated where each was written, which may be another module.
    by_init = inspect.isclass(made) and not is_dataclass(made)
    target = made.__init__ if by_init else made
    try:
        hints = get_type_hints(target, include_extras=True)
    except NameError:  # names that only a type checker sees: no ranges are given there
        hints = {}
    found = {}
    for name, parameter in inspect.signature(made).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or name in skip:
            continue
        hint = hints.get(name)
        extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        written = str(parameter.annotation)
        found[name] = Option(
            name=name,
            type=re.sub(r"Annotated\[([^,]+),.*\]", r"\1", written),
            default=parameter.default,
            help=helps.get(name, ""),
            range=next((extra for extra in extras if isinstance(extra, Range)), None),
            choices=next((tuple(e) for e in extras if isinstance(e, Mapping | tuple)), ()),
        )
    return found


def check_options(
    argument: str, owner: Argument, options: Mapping[str, Option], chosen: Mapping[str, Any]
) -> None:
    """Refuse options that an entry does not have, and values that they cannot take.

    Parameters
    ----------
    argument : str
        The argument that holds the options: ``kind_options``.
    owner : Argument
        The argument that chose the entry: ``kind="denoising"``.
    options : mapping of str to Option
        Those of the entry.
    chosen : mapping of str to object
        Values by name.

    Raises
    ------
    InputError
        For the first that is not allowed.
    """
    for name, value in chosen.items():
        if name not in options:
            raise InputError(
                ("is not an option of ", owner),
                argument=argument,
                value=name,
                allowed=", ".join(sorted(options)) or "none",
            )
        options[name].check(value)
