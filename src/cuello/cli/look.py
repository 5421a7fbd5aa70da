"""Commands that show a run, or list what there is to choose from."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from cuello.cli import importing
from cuello.cli.command import command
from cuello.cli.console import out, say, table_of_methods
from cuello.cli.options import RunArgument, TrustRemoteCodeOption, expanded
from cuello.cli.training import import_server
from cuello.errors import InputError

__all__: list[str] = []

_PANEL = "Look at results"

_STATES = {
    "running": "not finished: still running, or interrupted",
    "diverged": "stopped, as a loss became NaN or infinite",
    "finished": "finished",
}


@command(_PANEL, examples=("cuello report runs/digits", "cuello report ~/runs/scans"))
def report(run: RunArgument) -> None:
    """Write the report of a run again, and print its path."""
    with importing():
        from cuello.report.page import write_report
        from cuello.run.folder import RunFolder

    folder = RunFolder(expanded(run))
    write_report(folder)
    say(f"report: {folder.report}")


@command(_PANEL, examples=("cuello info runs/digits", "cuello info ~/runs/scans"))
def info(run: RunArgument) -> None:
    """Show the data, model and results of a run."""
    with importing():
        from cuello.run.folder import RunFolder

    folder = RunFolder(expanded(run))
    config = folder.config()
    finished = config["status"] == "finished"
    metrics = folder.metrics() if finished else {}
    out.print(_facts(folder.config(finished=finished)))
    if finished:
        if metrics["few_labels"]:
            out.print(table_of_methods(metrics))
        error = metrics["reconstruction"]
        say(f"test MSE {error['test_mse']:.5f}, PCA {error['pca_test_mse']:.5f}")
        for finding in metrics.get("findings") or []:
            say(f"note: {finding}")
    elif config["status"] == "diverged":
        say("start again with --overwrite and a smaller --learning-rate or --gradient-clip 1")
    else:
        again = f"cuello fit --resume {shlex.quote(str(run))}"
        say(f"if nothing works on it any more, continue it with: {again}")


def _facts(config: dict[str, Any]) -> Table:
    data = config["data"]
    resolved = config["autoencoder"]["resolved"] if "autoencoder" in config else {}
    targets = {
        "multiclass": {},
        "multilabel": {"properties": ", ".join(data["properties"])},
        "regression": {"labels": "numbers"},
    }
    facts = {
        "state": _STATES[config["status"]],
        "created": config["created"],
        "data": f"{data['name']} ({data['source']})",
        "samples": ", ".join(f"{count:,} {split}" for split, count in data["rows"].items()),
        "shape of a sample": " x ".join(map(str, data["shape"])),
        "classes": ", ".join(data["classes"]) or "none",
        **targets[data["task"]],
        "model": ", ".join(
            f"{name}={value}"
            + (f" ({resolved[name]})" if value == "auto" and name in resolved else "")
            for name, value in config["job"]["model"].items()
        ),
        "versions": ", ".join(f"{k} {v}" for k, v in config["versions"].items()),
    }
    table = Table(Column(overflow="fold"), Column(overflow="fold"), show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name, value)
    return table


@command(_PANEL, examples=("cuello app runs/digits", "cuello app runs/digits --port 8000"))
def app(
    run: RunArgument,
    host: Annotated[
        str, typer.Option(help="What to listen on; 127.0.0.1 is this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: a free one.", min=0, max=65535)] = 0,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Serve a run, finished or still training, to a browser until Ctrl-C."""
    path = expanded(run)
    import_server("cuello app").serve(
        path,
        host=host,
        port=port,
        trust_remote_code=trust_remote_code,
        report_address=lambda address: say(f"{path}: {address} (Ctrl-C ends it)"),
    )


@command(
    _PANEL,
    examples=("cuello page runs/digits -o page.html", "cuello page runs/a runs/b -o both.html"),
)
def page(
    run: RunArgument,
    other: Annotated[
        Path | None,
        typer.Argument(help="A second one, to compare with.", metavar="[RUN2]", show_default=False),
    ] = None,
    to: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write.", show_default=True)
    ] = Path("page.html"),
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write one offline HTML file to explore a run: its models run in the browser."""
    with importing():
        from cuello import atomic
        from cuello.run import open_run
        from cuello.web import build_page
    to = expanded(to)
    _check_page(to)
    paths = [expanded(path) for path in (run, other) if path is not None]
    text, notes = build_page(
        *(open_run(path, trust_remote_code=trust_remote_code) for path in paths)
    )
    html = text.encode()
    atomic.write_bytes(to, html)
    for note in notes:
        say(f"note: {note}")
    say(f"{len(html) / 1e6:.1f} MB: {to}")


def _check_page(to: Path) -> None:
    """Refuse, before any work, a file that cannot become the page."""
    if to.is_dir():
        raise InputError(f"--out {to} is a folder; name a file, such as {to / 'page.html'}.")
    if to.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {to}: `cuello page` writes HTML; write {to.with_suffix('.html')}.")
    if to.name == "report.html":
        raise InputError(
            f"--out {to}: report.html is the report of a run; choose another name, such as "
            f"{to.with_name('page.html')}."
        )


@command(
    _PANEL,
    examples=("cuello export runs/digits", "cuello export runs/digits --onnx -o digits-model"),
)
def export(
    run: RunArgument,
    folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write; default RUN-export.")
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Write encoder, decoder and classifier as ONNX, too.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the files of an earlier export.")
    ] = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write what others need to use a model: ONNX files, embeddings, and a card about it."""
    with importing():
        from cuello.export import default_export, export_run
        from cuello.run import open_run
    run = expanded(run)
    to = default_export(run) if folder is None else expanded(folder)
    opened = open_run(run, trust_remote_code=trust_remote_code)
    done = export_run(opened, to, onnx=onnx, overwrite=overwrite)
    if done.models:
        say(f"compared with PyTorch on {done.compared_on}")
    for name, model in done.models.items():
        size = f"{len(model.content) / 1e3:,.0f} kB"
        difference = f"largest difference {model.difference:.1e} of the range of its values"
        tied = f" ({model.tied} samples left out: rounding decides who votes)" if model.tied else ""
        say(f"{name}.onnx: {size}, {difference}{tied}")
    if not onnx:
        say('without ONNX files; --onnx writes them (pip install "cuello[onnx]")')
    say(f"export: {done.path}")


@command("Train", examples=("cuello kinds", "cuello kinds vae"))
def kinds(
    name: Annotated[
        str | None, typer.Argument(help="A kind, to see its options.", show_default=False)
    ] = None,
) -> None:
    """List the kinds of autoencoder, or one with its equation, paper and options."""
    from cuello.kinds import KINDS

    if name is not None:
        _show_kind(name)
        return
    heads = (Column("kind", no_wrap=True), Column("alias", no_wrap=True), "purpose")
    table = Table(*heads, caption="`cuello kinds NAME` shows equation, paper and options of a kind")
    for kind in sorted(KINDS):
        table.add_row(kind, ", ".join(KINDS.aliases(kind)), KINDS[kind].summary)
    out.print(table)


def _show_kind(name: str) -> None:
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
    table = Table(Column("option", no_wrap=True), Column("default", justify="right"), "meaning")
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
        if entry.files:
            where += f" ({sum(file.size for file in entry.files) / 1e6:.1f} MB)"
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
