"""Everything cuello refuses, as one small tree.

::

    CuelloError
    ├── InputError      (ValueError)    an argument or option that is not allowed
    │   └── UnknownNameError (KeyError) a name that is not registered
    ├── DataError       (ValueError)    a file or array that cannot be used
    ├── RunError        (RuntimeError)  a run folder that is missing, damaged or in the way
    └── DivergedError   (RuntimeError)  training that produced NaN or infinity

    CuelloWarning       (UserWarning)   a choice made for the user, or something left out

An error carries its facts as fields: the argument and its value, the problem, the allowed values,
and the remedy. ``str(error)`` writes arguments as Python does, ``latent_dim=9``; the command line
passes another :data:`Spelling` to :meth:`CuelloError.render`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "Argument",
    "CuelloError",
    "CuelloWarning",
    "DataError",
    "DivergedError",
    "InputError",
    "RunError",
    "Spelling",
    "Text",
    "UNSET",
    "UnknownNameError",
    "Use",
    "unknown",
]

UNSET: Final = ...  # a singleton, also when an error comes back from a worker process
"""In the place of a value: the name of an argument stands alone."""


@dataclass(frozen=True)
class Argument:
    """A mention of an argument inside a text: ``latent_dim=9``, or ``--latent 9``."""

    name: str
    value: object = UNSET


@dataclass(frozen=True)
class Use(Argument):
    """Advice to set an argument: ``use augment=None``, or ``leave --augment out``."""


Text = str | Sequence[str | Argument]
"""A text, or its pieces where it mentions arguments."""


Spelling = Callable[[Argument], str]
"""Writes the mention of an argument, or the advice to set it, for one way to call the program."""


def spell_as_python(mention: Argument) -> str:
    """Write ``name=value``, or the name alone; as advice after "use"."""
    text = mention.name if mention.value is UNSET else f"{mention.name}={mention.value!r}"
    return f"use {text}" if isinstance(mention, Use) else text


class CuelloError(Exception):
    """Base of every error that cuello raises on purpose.

    Parameters
    ----------
    problem : str or sequence of str, Argument and Use
        What is wrong, following the argument: "is above the number of features". Without an
        argument, a whole sentence.
    argument : str
        Name of the argument, as Python has it.
    value : object
        Its value. Without an argument, what the problem is about: a file, for example.
    allowed : str or sequence
        The allowed values; without a problem, the end of "must be ...".
    remedy : str or sequence
        What to do instead, in the imperative.

    Examples
    --------
    >>> error = InputError(argument="epochs", value=0, allowed="1 or more", remedy=Use("epochs", 9))
    >>> str(error)
    'epochs=0 must be 1 or more; use epochs=9.'
    """

    def __init__(
        self,
        problem: Text = "",
        *,
        argument: str = "",
        value: object = UNSET,
        allowed: Text | Argument = "",
        remedy: Text | Argument = "",
    ) -> None:
        self.problem = problem
        self.argument = argument
        self.value = value
        self.allowed = allowed
        self.remedy = remedy
        super().__init__(self.render(spell_as_python))

    def __str__(self) -> str:
        """Write the error with arguments as in a Python call."""
        return self.render(spell_as_python)

    def text_of(self, field: str) -> str:
        """Return ``problem``, ``allowed`` or ``remedy`` as text, arguments as in a Python call."""
        return _write(getattr(self, field), spell_as_python)

    def render(self, spelling: Spelling) -> str:
        """Return the error as sentences, arguments written by ``spelling``."""
        subject = ""
        if self.argument:
            subject = spelling(Argument(self.argument, self.value))
        elif self.value is not UNSET:
            subject = f"{self.value}:"
        problem, allowed, remedy = (
            _write(text, spelling) for text in (self.problem, self.allowed, self.remedy)
        )
        if allowed and not problem:
            problem, allowed = f"must be {allowed}", ""
        text = _closed("; ".join(part for part in (f"{subject} {problem}".strip(), remedy) if part))
        return f"{text} {_closed(f'Allowed: {allowed}')}" if allowed else text


class InputError(CuelloError, ValueError):
    """An argument or option has a value that is not allowed."""


class UnknownNameError(InputError, KeyError):
    """A name is not registered; a KeyError, too, so that a registry is a mapping like others."""


class DataError(CuelloError, ValueError):
    """A file or array cannot be read, or its values do not suit a model."""


class RunError(CuelloError, RuntimeError):
    """A run folder is missing, damaged, or already holds something."""


class DivergedError(CuelloError, RuntimeError):
    """Training produced a loss that is NaN or infinite; the last good weights were kept."""


class CuelloWarning(UserWarning):
    """A choice was made for the user, or something was left out; the message names it."""

    def __init__(self, text: Text = "") -> None:
        self.text = text
        super().__init__(self.render(spell_as_python))

    def render(self, spelling: Spelling) -> str:
        """Return the sentence, arguments written by ``spelling``."""
        return _write(self.text, spelling)


def unknown(argument: str, value: object, allowed: Iterable[str]) -> UnknownNameError:
    """Build the error for a name that is not registered, with the nearest names first.

    Examples
    --------
    >>> print(unknown("kind", "denoisng", ["plain", "denoising"]))
    kind='denoisng' is not known; did you mean 'denoising'? Allowed: denoising, plain.
    """
    names = sorted(allowed)
    near = difflib.get_close_matches(str(value), names, n=2, cutoff=0.5)
    return UnknownNameError(
        "is not known",
        argument=argument,
        value=value,
        allowed=", ".join(names),
        remedy=f"did you mean {' or '.join(repr(name) for name in near)}?" if near else "",
    )


def _write(text: Text | Argument, spelling: Spelling) -> str:
    pieces = [text] if isinstance(text, str | Argument) else text
    return "".join(piece if isinstance(piece, str) else spelling(piece) for piece in pieces)


def _closed(text: str) -> str:
    return text if text.endswith((".", "?", "!")) or not text else f"{text}."
