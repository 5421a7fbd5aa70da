"""`cuello report`, `info` and `data`: what is there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from cuello.cli.command import command
from cuello.cli.console import out, table_of_methods
from cuello.cli.interrupt import importing
from cuello.cli.options import RunArgument, expanded
from cuello.errors import RunError

__all__ = ["complete"]

_STATES = {
    "running": "not finished: still running, or interrupted",
    "diverged": "stopped, as a loss became NaN or infinite",
    "finished": "finished",
}


@command(
    "Look at results",
    examples=("cuello report runs/digits", "cuello report ~/runs/scans"),
)
def report(run: RunArgument) -> None:
    """Write the report of a run again, and say where it is."""
    with importing():
        from cuello.report.page import write_report
        from cuello.run.folder import RunFolder

    folder = RunFolder(expanded(run))
    with complete(folder.path):
        write_report(folder)
    out.print(f"report: {folder.report}", soft_wrap=True)


@command(
    "Look at results",
    examples=("cuello info runs/digits", "cuello info ~/runs/scans"),
)
def info(run: RunArgument) -> None:
    """Say what a run is: data, model, results."""
    with importing():
        from cuello.run.folder import RunFolder

    folder = RunFolder(expanded(run))
    config = folder.config()
    shown: list[Table | str]
    if config["status"] == "finished":
        metrics = folder.metrics()
        shown = [_facts(folder.config(finished=True))]
        shown += [table_of_methods(metrics)] if metrics["few_labels"] else []
        reconstruction = metrics["reconstruction"]
        shown.append(
            f"test MSE {reconstruction['test_mse']:.5f}, PCA {reconstruction['pca_test_mse']:.5f}"
        )
    elif config["status"] == "diverged":
        again = "start again with --overwrite and a smaller --learning-rate or --gradient-clip 1"
        shown = [_facts(config), again]
    else:
        again = f"cuello fit --resume {shlex.quote(str(run))}"
        shown = [_facts(config), f"if nothing works on it any more, continue it with: {again}"]
    for part in shown:
        out.print(part, soft_wrap=isinstance(part, str))


def _facts(config: dict[str, Any]) -> Table:
    data = config["data"]
    resolved = config["autoencoder"]["resolved"] if "autoencoder" in config else {}
    facts = {
        "state": _STATES[config["status"]],
        "created": config["created"],
        "data": f"{data['name']} ({data['source']})",
        "rows": ", ".join(f"{count:,} {split}" for split, count in data["rows"].items()),
        "shape of a row": " x ".join(map(str, data["shape"])),
        "classes": ", ".join(data["classes"]) or "none",
        **_labels(data),
        "model": ", ".join(
            f"{name}={value}"
            + (f" ({resolved[name]})" if value == "auto" and name in resolved else "")
            for name, value in config["job"]["model"].items()
        ),
        "versions": ", ".join(f"{k} {v}" for k, v in config["versions"].items()),
    }
    table = Table(show_header=False, box=None)
    for _ in ("name", "value"):
        table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, value)
    return table


def _labels(data: dict[str, Any]) -> dict[str, str]:
    task = data["task"]
    if task == "multilabel":
        return {"properties": ", ".join(data["properties"])}
    return {"labels": "numbers"} if task == "regression" else {}


@contextmanager
def complete(run: Path | str) -> Iterator[None]:
    """Take a part that is missing from the JSON files for the damage that it is."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise RunError(
            f"{run}: config.json or metrics.json is damaged or of another version "
            f"({type(error).__name__}: {error}); restore the folder or run the fit again."
        ) from error


@command(
    "Train",
    examples=("cuello data", "CUELLO_DATA=~/data cuello data"),
)
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
        _say(f"{name}: {entry.summary}")
        _say(f"    {rows} samples of {' x '.join(map(str, entry.shape))}; licence: {entry.licence}")
        _say(f"    {where}")
    folders = os.environ.get("CUELLO_DATA")
    _say(
        f"Sets that are not bundled are looked for in CUELLO_DATA ({folders or 'not set'}), then "
        "in the cache, then downloaded. A path works as well as a name:"
    )
    for reader in READERS.values():
        _say(f"{reader.display_name}: {reader.summary}")
        if reader.suffixes:
            _say(f"    {', '.join(reader.suffixes)}{' (or .gz)' if reader.compressed else ''}")


def _say(text: str) -> None:
    """Print a line that a terminal may wrap, and a pipe leaves whole."""
    out.print(text, soft_wrap=True)
