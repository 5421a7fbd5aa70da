"""`cuello fit --dry-run`: what would be trained, before anything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from cuello.cli.console import out

if TYPE_CHECKING:
    from cuello.run import Job

__all__ = ["show_plan"]


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
    width = KINDS[model.kind].decoder_width(model.latent_dim_, len(model.classes_))
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
    out.print(
        f"kind {job.model.get('kind', model.kind)}, {model.latent_dim_} latents; "
        f"{rows:,} training rows, {config.epochs} epochs of batches of {config.batch_size}: "
        f"{steps:,} steps. Multiply-adds are for one row. Nothing was trained or written.",
        soft_wrap=True,
    )
