"""`cuello fit`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cuello.cli.choices import listed, own_flags
from cuello.cli.flags import FlagCommand
from cuello.cli.interrupt import importing
from cuello.cli.kind_options import OwnOptions, parse_rest
from cuello.cli.options import absolute, expanded, given, parse_size, parse_widths
from cuello.cli.plan import show_plan
from cuello.cli.watch import finish
from cuello.errors import InputError

__all__ = ["add_to"]

_DATA, _MODEL, _TRAINING, _RUN = "Data and labels", "Model", "TrainingConfig", "Run"
_NOT_OF_THE_JOB = ("folder", "overwrite", "resume", "dry_run", "watch", "trust")


def _option(*names: str, help: str, panel: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


def fit(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(
            help="A named set (`cuello data` lists them) or a path.", show_default=False
        ),
    ] = None,
    labels: Annotated[
        str | None,
        _option(
            "--labels",
            help="How many labels to keep, 'all', or a CSV of file-or-row,label; for several "
            "properties of 0 and 1: file-or-row,NAME,NAME.",
            panel=_DATA,
        ),
    ] = None,
    repeats: Annotated[int, _option("--repeats", help="Label draws.", panel=_DATA)] = 5,
    task: Annotated[
        str, _option("--task", help=f"What labels say: {listed('task')}.", panel=_DATA)
    ] = "auto",
    method: Annotated[
        str | None,
        _option(
            "--method",
            help=f"Fit this method as well, on all rows, and keep it: {listed('method')}; "
            "label_spreading takes about a minute for each draw of 60,000 rows.",
            panel=_DATA,
            show_default="the best of scratch, frozen, slow and full",
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        _option("--image-size", help="Resize images: 28 or 28x32 (height x width).", panel=_DATA),
    ] = None,
    label_column: Annotated[
        str | None,
        _option(
            "--label-column",
            help="Column of a table that holds the labels; A,B,C for columns of 0 and 1.",
            panel=_DATA,
        ),
    ] = None,
    skip_bad: Annotated[
        bool, _option("--skip-bad", help="Leave unreadable files out and list them.", panel=_DATA)
    ] = False,
    keep_constant: Annotated[
        bool,
        _option("--keep-constant", help="Keep columns that hold a single value.", panel=_DATA),
    ] = False,
    validation: Annotated[
        float, _option("--validation", help="Share of rows that choose the epoch.", panel=_DATA)
    ] = 0.1,
    test: Annotated[
        float,
        _option("--test", help="Share of rows to test on, if there is no test part.", panel=_DATA),
    ] = 0.2,
    kind: Annotated[
        str,
        _option(
            "--kind",
            help="`cuello kinds` lists them, `cuello kinds NAME` shows the options of one.",
            panel=_MODEL,
        ),
    ] = "denoising",
    network: Annotated[
        str, _option("--network", help=f"{own_flags('network')}.", panel=_MODEL)
    ] = "dense",
    encoder: Annotated[
        str | None,
        _option(
            "--encoder",
            help="Your own network instead: where to import it, package.module:name.",
            panel=_MODEL,
        ),
    ] = None,
    decoder: Annotated[
        str | None, _option("--decoder", help="The other half of it.", panel=_MODEL)
    ] = None,
    hidden: Annotated[
        str | None,
        _option(
            "--hidden",
            help="Units or channels from the input to the code, such as 512,256.",
            panel=_MODEL,
            show_default="by network",
        ),
    ] = None,
    latent_dim: Annotated[int, _option("--latent", help="Length of the code.", panel=_MODEL)] = 32,
    allow_overcomplete: Annotated[
        bool,
        _option("--allow-overcomplete", help="Let the code be as long as a row.", panel=_MODEL),
    ] = False,
    activation: Annotated[
        str,
        _option(
            "--activation",
            help=f"After every hidden layer: {listed('activation')}.",
            panel=_MODEL,
        ),
    ] = "relu",
    latent_activation: Annotated[
        str,
        _option(
            "--latent-activation",
            help="After the last layer of the encoder; auto is what the kind needs.",
            panel=_MODEL,
        ),
    ] = "auto",
    initializer: Annotated[
        str,
        _option(
            "--initializer",
            "--initialiser",
            help=f"Of the weights: {listed('initializer')}.",
            panel=_MODEL,
        ),
    ] = "auto",
    batch_norm: Annotated[
        bool, _option("--batch-norm", help="Batch normalisation.", panel=_MODEL)
    ] = False,
    dropout: Annotated[float, _option("--dropout", help="Rate in [0, 1).", panel=_MODEL)] = 0.0,
    loss: Annotated[str, _option("--loss", help=f"{listed('loss')}.", panel=_MODEL)] = "auto",
    output_activation: Annotated[
        str,
        _option(
            "--output-activation",
            help=f"{listed('output_activation')}; auto fits the data's range.",
            panel=_MODEL,
        ),
    ] = "auto",
    scaling: Annotated[
        str,
        _option("--scaling", help=f"{listed('scaling')}.", panel=_MODEL),
    ] = "auto",
    augment: Annotated[
        str | None,
        _option(
            "--augment",
            help=f"Of images, such as shift=0.1,rotate=10: {listed('augment')}; or mild.",
            panel=_MODEL,
        ),
    ] = None,
    optimizer: Annotated[
        str,
        _option("--optimizer", "--optimiser", help=f"{listed('optimizer')}.", panel=_TRAINING),
    ] = "adam",
    learning_rate: Annotated[
        float, _option("--learning-rate", "--lr", help="Above 0.", panel=_TRAINING)
    ] = 1e-3,
    momentum: Annotated[
        float, _option("--momentum", help="For sgd and rmsprop.", panel=_TRAINING)
    ] = 0.9,
    weight_decay: Annotated[
        float, _option("--weight-decay", help="At least 0.", panel=_TRAINING)
    ] = 0.0,
    schedule: Annotated[
        str, _option("--schedule", help=f"{listed('schedule')}.", panel=_TRAINING)
    ] = "cosine",
    warm_up: Annotated[
        float,
        _option("--warm-up", help="Share of the steps with a rising rate.", panel=_TRAINING),
    ] = 0.0,
    epochs: Annotated[
        int | None,
        _option("--epochs", help="Passes over the data.", panel=_TRAINING, show_default="by size"),
    ] = None,
    batch_size: Annotated[
        int | None,
        _option("--batch-size", help="Rows a step.", panel=_TRAINING, show_default="by size"),
    ] = None,
    shuffle: Annotated[
        str,
        _option(
            "--shuffle", help=f"New order in each epoch: {listed('shuffle')}.", panel=_TRAINING
        ),
    ] = "always",
    patience: Annotated[
        int | None,
        _option(
            "--patience",
            "--early-stopping",
            help="Stop after so many epochs without a better validation loss.",
            panel=_TRAINING,
            show_default="never",
        ),
    ] = None,
    gradient_clip: Annotated[
        float | None,
        _option("--gradient-clip", help="Largest norm of the gradient.", panel=_TRAINING),
    ] = None,
    encoder_lr_factor: Annotated[
        float,
        _option(
            "--encoder-lr-factor",
            help="The encoder's rate as a share of the head's, in the slower mode.",
            panel=_TRAINING,
        ),
    ] = 0.1,
    device: Annotated[
        str, _option("--device", help="auto, cpu, cuda, ...", panel=_TRAINING)
    ] = "auto",
    precision: Annotated[
        str, _option("--precision", help=f"{listed('precision')}.", panel=_TRAINING)
    ] = "auto",
    seed: Annotated[int, _option("--seed", help="Same seed, same result.", panel=_RUN)] = 0,
    folder: Annotated[
        Path | None,
        _option("--out", "-o", help="The run folder.", panel=_RUN, show_default="runs/NAME"),
    ] = None,
    overwrite: Annotated[
        bool, _option("--overwrite", help="Replace the run that is there.", panel=_RUN)
    ] = False,
    dry_run: Annotated[
        bool,
        _option(
            "--dry-run", help="Check data and options, show the network, and stop.", panel=_RUN
        ),
    ] = False,
    resume: Annotated[
        Path | None,
        _option("--resume", help="Continue an interrupted run; needs nothing else.", panel=_RUN),
    ] = None,
    watch: Annotated[
        bool, _option("--watch", help="Show it in a browser, until Ctrl-C.", panel=_RUN)
    ] = False,
    trust_remote_code: Annotated[
        bool,
        _option(
            "--trust-remote-code",
            help="With --resume: import and run the networks of its own that the run names.",
            panel=_RUN,
        ),
    ] = False,
) -> None:
    """Train on all rows without labels, then learn from the few labels there are."""
    flags = given(context)
    left = [argument for argument in (data, *context.args) if argument is not None]
    if resume is not None:
        other = [
            *left,
            *(flag for flag in flags if flag not in ("--resume", "--trust-remote-code", "--watch")),
        ]
        if other:
            raise InputError(
                f"--resume {resume} continues with the data and options it was started with; "
                f"leave {other[0]} away, or start another run with --out."
            )
        with importing():
            from cuello import api
        run = expanded(resume)
        finish(
            run,
            lambda p: api.resume_with_report(run, trust_remote_code=trust_remote_code, progress=p),
            watch,
            trust_remote_code=trust_remote_code,
        )
        return

    if trust_remote_code:
        raise InputError("--trust-remote-code goes with --resume; leave it out of a new run.")
    with importing():
        from cuello import api
    own = OwnOptions(kind, network)
    context.obj = own.names
    general = [f for p in context.command.params if p.name != "data" for f in p.opts]
    data, kind_options, network_options = parse_rest(left, own, general)
    if not data:
        raise InputError("which data? Name a set or a path, such as: cuello fit digits.")
    # Options have the names that Job and Autoencoder give them, and go there as they are.
    names = [str(parameter.name) for parameter in context.command.params]
    options = {name: context.params[name] for name in names if name in context.params}
    for name in _NOT_OF_THE_JOB:
        del options[name]
    options |= {
        "data": absolute(data),
        "labels": labels if labels is None or labels.isdecimal() else absolute(labels),
        "image_size": parse_size(image_size),
        "kind_options": kind_options,
        "network_options": network_options,
        "hidden": parse_widths(hidden),
        "epochs": "auto" if epochs is None else epochs,
        "batch_size": "auto" if batch_size is None else batch_size,
    }
    job = api.Job.of(**options)
    if dry_run:
        if watch:
            raise InputError("--watch has nothing to show with --dry-run; leave one of them out.")
        show_plan(job)
        return
    where = api.default_folder(data) if folder is None else expanded(folder)
    finish(
        where, lambda p: api.start_with_report(job, where, overwrite=overwrite, progress=p), watch
    )


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    # Options of a kind or network are not known before torch is imported, so unknown ones are let
    # through here and judged in parse_rest.
    let_through = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(cls=FlagCommand, context_settings=let_through)(fit)
