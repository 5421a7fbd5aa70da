"""`cuello kinds`: the kinds of autoencoder, and the options of one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from cuello.cli.command import command
from cuello.cli.console import out

__all__: list[str] = []


@command("Train", examples=("cuello kinds", "cuello kinds vae"))
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
    table = Table(caption="`cuello kinds NAME` shows equation, paper and options of a kind")
    table.add_column("kind", no_wrap=True)
    table.add_column("alias", no_wrap=True)
    table.add_column("purpose")
    for kind in sorted(KINDS):
        table.add_row(kind, ", ".join(KINDS.aliases(kind)), KINDS[kind].summary)
    out.print(table)


def _show(name: str) -> None:
    from cuello.docstrings import describe
    from cuello.kinds import KINDS

    kind = KINDS.resolve(name)
    entry, words = KINDS[kind], describe(KINDS[kind])
    out.print(f"{kind}: {words.summary}", style="bold")
    if words.text:
        out.print(f"\n{words.text}")
    out.print(f"\nminimises  {entry.equation}\nsource     {entry.paper}")
    if KINDS.aliases(kind):
        out.print(f"aliases    {', '.join(KINDS.aliases(kind))}")
    if entry.needs_labels:
        out.print("needs classes: those that --labels keeps, or y in Python")
    if not entry.options():
        out.print("\nno options of its own")
        return
    table = Table()
    table.add_column("option", no_wrap=True)
    table.add_column("default", justify="right")
    table.add_column("meaning")
    for option in entry.options().values():
        table.add_row(f"--{option.name.replace('_', '-')}", str(option.default), option.help)
    out.print(table)
