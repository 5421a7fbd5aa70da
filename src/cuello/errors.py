"""Everything cuello refuses, as one small tree.

::

    CuelloError
    ├── InputError      (ValueError)    an argument or option that is not allowed
    ├── DataError       (ValueError)    a file or array that cannot be used
    ├── RunError        (RuntimeError)  a run folder that is missing, damaged or in the way
    └── DivergedError   (RuntimeError)  training that produced NaN or infinity

    CuelloWarning       (UserWarning)   something was decided or left out, and says so

A message names the argument or file, its value, what is allowed, and the way out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CuelloError",
    "CuelloWarning",
    "DataError",
    "DivergedError",
    "InputError",
    "RunError",
    "unknown",
]


class CuelloError(Exception):
    """Base of every error that cuello raises on purpose."""


class InputError(CuelloError, ValueError):
    """An argument or option has a value that is not allowed."""


class DataError(CuelloError, ValueError):
    """A file or array cannot be read, or holds what a model cannot use."""


class RunError(CuelloError, RuntimeError):
    """A run folder is missing, damaged, or already holds something."""


class DivergedError(CuelloError, RuntimeError):
    """Training produced a loss that is NaN or infinite; the last good weights were kept."""


class CuelloWarning(UserWarning):
    """Something was decided for the user, or left out, and this says what."""


def unknown(what: str, value: object, allowed: Iterable[str]) -> InputError:
    """Build the error for a name that is not registered, with the nearest names first.

    Examples
    --------
    >>> print(unknown("kind", "denoisng", ["plain", "denoising"]))
    kind='denoisng' is not known; did you mean 'denoising'? Known: denoising, plain.
    """
    names = sorted(allowed)
    near = difflib.get_close_matches(str(value), names, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
    return InputError(f"{what}={value!r} is not known{hint} Known: {', '.join(names)}.")
