"""`cuello report`, `info` and `data`: what is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cuello.cli.console import out, table_of_methods

__all__ = ["add_to"]

RunArgument = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]


def report(run: RunArgument) -> None:
    """Write the report of a run again, and say where it is."""
    from cuello.report import write_report
    from cuello.store import RunFolder

    folder = RunFolder(run)
    write_report(folder)
    out.print(f"report: {folder.report}", markup=False, soft_wrap=True)


def info(run: RunArgument) -> None:
    """Say what a run is: data, model, results."""
    from cuello.store import RunFolder

    folder = RunFolder(run)
    config = folder.read_json("config.json")
    data = config["data"]
    facts = {
        "state": config["status"],
        "created": config["created"],
        "data": f"{data['name']} ({data['source']})",
        "rows": ", ".join(f"{count:,} {part}" for part, count in data["rows"].items()),
        "shape of a row": " x ".join(map(str, data["shape"])),
        "classes": ", ".join(data["classes"]) or "none",
        "model": ", ".join(f"{k}={v}" for k, v in config["job"]["model"].items()),
        "versions": ", ".join(f"{k} {v}" for k, v in config["versions"].items()),
    }
    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name, value)
    out.print(table)
    if config["status"] != "finished":
        out.print(f"continue it with: cuello fit --resume {run}", markup=False)
        return
    metrics = folder.read_json("metrics.json")
    if metrics["few_labels"]:
        out.print(table_of_methods(metrics))
    reconstruction = metrics["reconstruction"]
    out.print(
        f"test MSE {reconstruction['test_mse']:.5f}, PCA {reconstruction['pca_test_mse']:.5f}"
    )


def data() -> None:
    """List the named data sets: what, size, where from, licence."""
    from cuello.data import sets

    table = Table()
    for name in ("name", "what", "rows", "shape", "where", "licence"):
        table.add_column(name, justify="right" if name == "rows" else "left")
    for entry in sets.listing():
        rows = f"{entry.rows:,}" + (f" + {entry.test_rows:,}" if entry.test_rows else "")
        where = f"{entry.kind}: {entry.where}" if entry.where else entry.kind
        if entry.download_bytes:
            where += f" ({entry.download_bytes / 1e6:.1f} MB)"
        table.add_row(
            entry.name, entry.what, rows, " x ".join(map(str, entry.shape)), where, entry.licence
        )
    out.print(table)
    folders = os.environ.get("CUELLO_DATA")
    out.print(
        f"Sets that are not bundled are looked for in CUELLO_DATA ({folders or 'not set'}), then "
        "in the cache, then downloaded. A path works as well as a name."
    )


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (report, info, data):
        app.command()(command)
