"""`cuello kinds` and `cuello data`: lists of kinds, named data sets and formats."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from cuello.cli import importing
from cuello.cli.command import command
from cuello.cli.console import out, say

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
    from cuello.kinds import KINDS
    from cuello.options import describe

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


@command("Train", examples=("cuello data", "CUELLO_DATA=~/data cuello data"))
def data() -> None:
    """List the named data sets, with size, licence and source, and the formats of files."""
    with importing():
        from cuello.data import NAMED_SETS, READERS
        from cuello.data.sets import locate

    for name, entry in NAMED_SETS.items():
        rows = f"{entry.rows:,}" + (f" + {entry.test_rows:,}" if entry.test_rows else "")
        kind, where = locate(name)
        where = f"{kind}: {where}" if where else kind
        if entry.download_bytes:
            where += f" ({entry.download_bytes / 1e6:.1f} MB)"
        say(f"{name}: {entry.summary}")
        say(f"    {rows} samples of {' x '.join(map(str, entry.shape))}; licence: {entry.licence}")
        say(f"    {where}")
    folders = os.environ.get("CUELLO_DATA")
    say(
        f"Sets that are not bundled are looked for in CUELLO_DATA ({folders or 'not set'}), then "
        "in the cache, then downloaded. A path works as well as a name:"
    )
    for reader in READERS.values():
        say(f"{reader.display_name}: {reader.summary}")
        if reader.suffixes:
            say(f"    {', '.join(reader.suffixes)}{' (or .gz)' if reader.compressed else ''}")
