"""`cuello kinds`: which autoencoders there are, and what each one's options mean."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from cuello.cli.console import out

__all__ = ["add_to"]


def kinds(
    name: Annotated[
        str | None, typer.Argument(help="A kind, to see its options.", show_default=False)
    ] = None,
) -> None:
    """List the kinds of autoencoder, or one with its equation, paper and options."""
    from cuello.kinds import KINDS

    if name is not None:
        _show(name)
        return
    table = Table(caption="`cuello kinds NAME` shows its options; `cuello fit DATA --kind NAME`")
    table.add_column("kind", no_wrap=True)
    table.add_column("in a sentence")
    table.add_column("what it minimises")
    table.add_column("source")
    for kind in sorted(KINDS):
        entry = KINDS[kind]
        names = "\n".join([kind, *(f"({alias})" for alias in KINDS.aliases(kind))])
        table.add_row(names, entry.summary, entry.equation, entry.paper)
    out.print(table)


def _show(name: str) -> None:
    from cuello.kinds import KINDS
    from cuello.registry import describe

    entry = KINDS[name]
    out.print(f"{KINDS.resolve(name)}: {entry.summary}", style="bold")
    if text := describe(entry).text:
        out.print(f"\n{text}")
    out.print(f"\nminimises  {entry.equation}\nsource     {entry.paper}")
    if entry.needs_labels:
        out.print("needs classes: those that --labels leaves known, or y in Python")
    if not entry.options():
        out.print("\nno options of its own")
        return
    table = Table()
    table.add_column("option", no_wrap=True)
    table.add_column("default", justify="right")
    table.add_column("what it does")
    for option in entry.options().values():
        table.add_row(f"--{option.name.replace('_', '-')}", str(option.default), option.help)
    out.print(table)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(kinds)
