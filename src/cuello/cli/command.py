"""Registration of commands, examples in their help, and errors spelled as flags."""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand

from cuello.cli.console import complain
from cuello.errors import UNSET, Argument, CuelloError, Use
from cuello.registry import Registry

__all__ = [
    "COMMANDS",
    "PANELS",
    "Command",
    "CommandEntry",
    "FlagSpelling",
    "UsageError",
    "command",
    "examples_text",
    "is_given",
    "with_parameters",
]

# Its name has moved between typer's versions; its place above BadParameter has not.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

PANELS = ("Train", "Apply to data", "Look at results", "Experiments")
"""Groups of commands, in the order of the help."""


class FlagSpelling:
    """Write arguments as flags: ``latent_dim=9`` as ``--latent 9``, others with dashes."""

    def __init__(self, flags: dict[str, str]) -> None:
        self.flags = flags

    def __call__(self, mention: Argument) -> str:
        """Write a mention of an argument, or the advice to set it."""
        name, value, flag = mention.name, mention.value, self._flag(mention.name)
        if isinstance(mention, Use) and value in (None, False, "auto"):
            return f"leave {flag} out"
        text = f"{flag} {_typed(value)}"
        if value is UNSET or value is True or flag == name:
            text = flag if value in (UNSET, True) else f"{name}={value!r}"
        return f"{'give' if value is True else 'use'} {text}" if isinstance(mention, Use) else text

    def _flag(self, name: str) -> str:
        # X and y are arrays of Python, which no flag gives.
        if name in self.flags or len(name) == 1:
            return self.flags.get(name, name)
        return f"--{name.replace('_', '-')}"


def _typed(value: object) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return shlex.quote(value) if isinstance(value, str) else str(value)


class Command(TyperCommand):
    """A command that refuses in one line and ends with exit code 2."""

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """Parse the arguments."""
        with self.refusals():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, unless an option has the next flag for its value (``--out --watch``)."""
        with self.refusals():
            for parameter in self.params:
                value = str(ctx.params.get(str(parameter.name)))
                option = parameter.param_type_name == "option" and is_given(ctx, parameter.name)
                if option and value.startswith("--"):
                    raise CuelloError(
                        f"{parameter.opts[0]} needs a value, and {value} is an option."
                    )
            return super().invoke(ctx)

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Print an error of cuello with the flags of this command, and stop."""
        try:
            yield
        except CuelloError as error:
            flags = {
                str(parameter.name): str(parameter.opts[0])
                for parameter in self.params
                if parameter.param_type_name == "option"
            }
            sys.exit(complain(error.render(FlagSpelling(flags)), 2))


@dataclass(frozen=True, kw_only=True)
class CommandEntry:
    """A command as it is registered; see :func:`command`."""

    run: Callable[..., None]
    panel: str
    examples: tuple[str, str]
    cls: type[TyperCommand]


COMMANDS: Registry[CommandEntry] = Registry("command")


def command(
    panel: str, *, examples: tuple[str, str], cls: type[TyperCommand] = Command, name: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that registers a function as a command, in one of :data:`PANELS`.

    The first line of its docstring is the summary, its signature the arguments and options, and two
    example command lines end its help. ``cls`` parses it; its name is that of the function by
    default.
    """

    def register(run: Callable[..., None]) -> Callable[..., None]:
        entry = CommandEntry(run=run, panel=panel, examples=examples, cls=cls)
        COMMANDS.add(name or run.__name__.replace("_", "-"), entry)
        return run

    return register


def with_parameters(
    run: Callable[..., None],
    parameters: Iterable[inspect.Parameter],
    documented: Callable[..., None],
) -> Callable[..., None]:
    """Give a function of any keywords the parameters that typer reads, and another's docstring."""
    functools.update_wrapper(run, documented)
    keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in keywords}
    return run


def is_given(context: typer.Context, name: str | None) -> bool:
    """Return whether an option was typed, or comes from an environment variable."""
    source = context.get_parameter_source(str(name))
    return source is not None and source.name != "DEFAULT"


def examples_text(examples: Sequence[str]) -> str:
    """Return the end of a help text: examples, each a paragraph of its own."""
    return "\n\n".join(["Examples:", *examples])
