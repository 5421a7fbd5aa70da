"""Plan, progress and results of `cuello fit`, in the terminal and in the browser."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from rich.table import Table

from cuello.cli import importing
from cuello.cli.console import Bars, complain, out, say, table_of_methods
from cuello.errors import InputError, RunError

if TYPE_CHECKING:
    from cuello.run import Job, Progress
    from cuello.run.folder import RunFolder

__all__ = ["finish_training", "import_server", "show_plan"]


def show_plan(job: Job) -> None:
    """Read the data, check every option, and print the network layer by layer."""
    from cuello import run
    from cuello.kinds import KINDS
    from cuello.networks.summary import summarize, total

    prepared, model = run.plan(job)
    module = model.module_
    table = Table(box=None, pad_edge=False)
    for name in ("layer", "type", "output", "parameters", "bytes", "multiply-adds"):
        left = name in ("layer", "type", "output")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    width = KINDS[model.kind_].decoder_width(model.latent_dim_, len(model.classes_))
    layers = summarize(module.encoder, module.decoder, model.shape_, width)
    whole = total(layers)
    for layer in [*layers, whole]:
        table.add_row(
            layer.name,
            layer.type,
            " x ".join(map(str, layer.output_shape)),
            f"{layer.parameters:,}",
            f"{layer.bytes:,}",
            f"{layer.multiply_adds:,}",
            style="bold" if layer is whole else None,
        )
    out.print(table)
    config, rows = model.training_config_, len(prepared.rows.train)
    steps = config.epochs * -(-rows // config.batch_size)
    say(
        f"kind {model.kind_}, {model.latent_dim_} latents; "
        f"{rows:,} training samples, {config.epochs} epochs of batches of {config.batch_size}: "
        f"{steps:,} steps. Multiply-adds are for one sample. Nothing was trained or written."
    )


def finish_training(
    path: Path,
    work: Callable[[Progress], RunFolder],
    *,
    watch: bool = False,
    quiet: bool = False,
    trust_remote_code: bool = False,
) -> None:
    """Train a run with progress bars, print its results, and serve it until Ctrl-C if watched."""
    if not watch:
        _train(path, work, Bars(quiet=quiet))
        return
    server = import_server("cuello fit --watch").BackgroundServer(
        path, trust_remote_code=trust_remote_code
    )

    def announce() -> str:
        server.start()
        return f"watch it at {server.address}"

    try:
        _train(path, work, Bars(announce, quiet=quiet))
        if not server.started:  # nothing was left to train
            server.start()
        say(f"{path}: {server.address} (Ctrl-C ends it)")
        server.wait()
    finally:
        server.close()


def _train(path: Path, work: Callable[[Progress], RunFolder], bars: Bars) -> None:
    try:
        with bars:
            folder = work(bars)
    except KeyboardInterrupt:
        if _is_running(path):
            text = f"interrupted; continue with: cuello fit --resume {shlex.quote(str(path))}"
        else:
            text = "interrupted before training started; nothing was written."
        sys.exit(complain(text, 130))
    metrics = folder.metrics()
    for note in folder.config()["notes"]:
        say(f"note: {note}")
    if metrics["few_labels"]:
        out.print(table_of_methods(metrics))
    reconstruction, timing = metrics["reconstruction"], metrics["timing"]
    out.print(
        f"test MSE {reconstruction['test_mse']:.5f} with {reconstruction['latent_dim']} latents; "
        f"PCA with {reconstruction['pca_components']} components "
        f"{reconstruction['pca_test_mse']:.5f}"
    )
    out.print(
        f"{timing['epochs']} epochs in {timing['train_seconds']:.1f} s "
        f"({timing['rows_per_second']:,.0f} samples/s), {timing['total_seconds']:.1f} s in all"
    )
    say(f"report: {folder.report}")


def _is_running(path: Path) -> bool:
    from cuello.run.folder import RunFolder

    try:
        return bool(RunFolder(path).config()["status"] == "running")
    except RunError:
        return False


def import_server(command: str) -> ModuleType:
    """Return :mod:`cuello.server`; refuse a command that needs it where it cannot be imported."""
    with importing():
        try:
            import cuello.server
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("cuello"):
                raise
            raise InputError(
                f"`{command}` needs {error.name}, which is not installed; install it with: "
                'pip install "cuello[app]"'
            ) from None
    return cuello.server
