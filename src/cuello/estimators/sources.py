"""Networks of the user: made, or imported by name, and their importable names."""

from __future__ import annotations

import contextlib
import copy
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cuello.errors import InputError

__all__ = ["NetworkSource", "first_line", "make_network", "name_of_source"]

NetworkSource = nn.Module | Callable[[], nn.Module] | str
"""A network, a function or class that makes one, or where to import either: ``package.mod:name``"""

_WRITE_NAME = "'package.module:name'"


def make_network(argument: str, source: NetworkSource) -> nn.Module:
    """Return a network from its source: a copy of an instance, with its weights, or a new one.

    ``argument`` is ``encoder`` or ``decoder``, for errors.
    """
    made = _import(argument, source) if isinstance(source, str) else source
    if isinstance(made, nn.Module):
        return copy.deepcopy(made).to(torch.get_default_device())
    try:
        made = made() if callable(made) else made
    except TypeError as error:
        raise InputError(
            f"cannot be called without arguments ({first_line(error)})",
            argument=argument,
            value=source,
            remedy="give a function that makes the network with them",
        ) from error
    if not isinstance(made, nn.Module):
        raise InputError(
            "is no torch.nn.Module, and no function or class that makes one",
            argument=argument,
            value=source,
            remedy=f"give one of them, or where to import it: {_WRITE_NAME}",
        )
    return made


def _import(argument: str, source: str) -> Any:
    module, _, name = source.partition(":")
    here = os.getcwd()  # installed programs do not look there by themselves
    sys.path.append(here)
    try:
        imported: Any = importlib.import_module(module)
        for part in name.split("."):
            imported = getattr(imported, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"cannot be imported ({error})",
            argument=argument,
            value=source,
            remedy=f"write {_WRITE_NAME}, and run where Python finds that module",
        ) from None
    finally:
        sys.path.remove(here)
    return imported


def name_of_source(argument: str, source: NetworkSource | None) -> str | None:
    """Return the importable name of a network, by which a run folder can build it again.

    Raise InputError where it has none: a module object, or a function made inside another one.
    """
    if source is None or isinstance(source, str):
        return source
    module = getattr(source, "__module__", "__main__")
    name = f"{module}:{getattr(source, '__qualname__', '')}"
    # The name must lead to this very object: a wrapper bears the name of another.
    if module != "__main__":
        with contextlib.suppress(InputError):
            if _import("", name) is source:
                return name
    raise InputError(
        f"{argument} is a {type(source).__name__} that no other program can import, so a run "
        "folder cannot build it again; put a function that makes it into a module and give its "
        f"name: {argument}={_WRITE_NAME}"
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or its type where it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)
