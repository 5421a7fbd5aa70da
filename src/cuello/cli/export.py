"""`cuello export`: a folder to publish, with the networks as ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cuello.cli import console
from cuello.cli.command import command
from cuello.cli.interrupt import importing
from cuello.cli.options import RunArgument, TrustRemoteCodeOption, expanded

__all__: list[str] = []


@command(
    "Look at results",
    examples=(
        "cuello export runs/digits",
        "cuello export runs/digits --onnx -o digits-model",
    ),
)
def export(
    run: RunArgument,
    out: Annotated[
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
    to = default_export(run) if out is None else expanded(out)
    say = console.out.print
    found = export_run(
        open_run(run, trust_remote_code=trust_remote_code), to, onnx=onnx, overwrite=overwrite
    )
    if found.models:
        say(f"compared with PyTorch on {found.compared_on}", soft_wrap=True)
    for name, model in found.models.items():
        size = f"{len(model.content) / 1e3:,.0f} kB"
        apart = f"{model.difference:.1e} of the range of its values"
        tied = f" ({model.tied} rows left out: rounding decides who votes)" if model.tied else ""
        say(f"{name}.onnx: {size}, largest difference {apart}{tied}", soft_wrap=True)
    if not onnx:
        say('without ONNX files; --onnx writes them (pip install "cuello[onnx]")')
    say(f"export: {found.path}", soft_wrap=True)
