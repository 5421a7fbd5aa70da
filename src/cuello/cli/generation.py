"""Commands that decode: denoise, sample, interpolate, impute; and project."""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

from cuello.cli import importing
from cuello.cli.apply import PANEL, Inputs, on_data, open_for
from cuello.cli.command import FlagSpelling, command
from cuello.cli.console import say
from cuello.cli.options import OutOption, RunArgument, TrustRemoteCodeOption
from cuello.errors import CuelloWarning, InputError

__all__: list[str] = []


@on_data(
    examples=(
        "cuello denoise runs/digits noisy.npz -o denoised.npz",
        "cuello denoise runs/scans scans/ -o denoised.npz --masked 0.3",
    ),
)
def denoise(
    inputs: Inputs,
    to: OutOption,
    masked: Annotated[
        float, typer.Option(help="Share of the values that noise set to 0, if known.")
    ] = 0.0,
) -> None:
    """Write every sample without its noise to .npz."""
    with importing():
        from cuello.run.generation import write_denoised
    run, samples, to = inputs.read(to, ".npz")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CuelloWarning)
        count = write_denoised(run, samples, to, masked=masked)
    for warning in caught:
        if isinstance(warning.message, CuelloWarning):
            say(f"note: {warning.message.render(FlagSpelling({}))}")
    say(f"{count:,} samples: {to}")


@command(
    PANEL,
    examples=(
        "cuello sample runs/digits -n 64 -o samples.npz",
        "cuello sample runs/digits -n 20 --classes 3,8 -o samples.npz",
    ),
)
def sample(
    run: RunArgument,
    to: OutOption,
    number: Annotated[int, typer.Option("--number", "-n", help="Number of samples.", min=1)] = 64,
    sampler: Annotated[
        str,
        typer.Option(
            help="auto, prior (kinds that have one) or mixture (of Gaussians, fitted to all "
            "embeddings).",
        ),
    ] = "auto",
    classes: Annotated[
        str | None, typer.Option(help="Classes of the new samples, in turn, such as cat,dog.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed, the same samples.", min=0)] = 0,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write new samples to .npz, and images side by side to .png."""
    with importing():
        from cuello.run.generation import write_samples
    opened, to = open_for(run, to, ".npz", trust_remote_code=trust_remote_code)
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    origin = write_samples(opened, number, to, sampler=sampler, classes=names, seed=seed)
    say(f"{number:,} new samples ({origin}): {to}")


@on_data(
    examples=(
        "cuello interpolate runs/digits digits --rows 3,17 -o path.npz",
        "cuello interpolate runs/digits digits --rows 3,17,42 --steps 12 -o path.npz",
    ),
)
def interpolate(
    inputs: Inputs,
    to: OutOption,
    rows: Annotated[str, typer.Option(help="Two or more, counted from 0, such as 3,17.")],
    steps: Annotated[
        int, typer.Option(help="Samples from one to the next, both counted.", min=2)
    ] = 9,
    method: Annotated[str, typer.Option(help="auto, linear, or spherical (around 0).")] = "auto",
) -> None:
    """Interpolate between samples, through their embeddings; write .npz, and images to .png."""
    with importing():
        from cuello.run.generation import write_interpolation
    numbers = [part.strip() for part in rows.split(",")]
    if not all(number.isdecimal() for number in numbers):
        raise InputError(
            argument="rows", value=rows, allowed="row numbers with commas between, such as 3,17"
        )
    run, samples, to = inputs.read(to, ".npz")
    count = write_interpolation(run, samples, [*map(int, numbers)], steps, to, method=method)
    say(f"{count:,} samples: {to}")


@on_data(
    examples=(
        "cuello impute runs/sensors sensors.csv -o filled.csv",
        "cuello impute runs/sensors sensors.csv --draws 20 -o draws.npz",
    ),
)
def impute(
    inputs: Inputs,
    to: OutOption,
    draws: Annotated[
        int,
        typer.Option(
            help="Imputations of each sample; 2 or more for kinds with a posterior, such as "
            "variational.",
            min=1,
        ),
    ] = 1,
    seed: Annotated[int, typer.Option(help="The same seed, the same draws.", min=0)] = 0,
) -> None:
    """Fill missing values from the rest of their sample; write .csv for tables, or .npz."""
    with importing():
        from cuello.run.generation import write_imputed
    run, samples, to = inputs.read(to, ".csv", ".npz", holes=True)
    count = write_imputed(run, samples, to, draws=draws, seed=seed)
    say(f"{count:,} samples with missing values, filled: {to}")


@on_data(
    examples=(
        "cuello project runs/digits digits -o projection.csv",
        "cuello project runs/scans new_scans/ -o projection.csv --seed 1",
    ),
)
def project(
    inputs: Inputs,
    to: OutOption,
    seed: Annotated[int, typer.Option(help="The same seed, the same projection.", min=0)] = 0,
) -> None:
    """Write 2-D coordinates of every sample to CSV, and their quality beside PCA."""
    with importing():
        from cuello.run.generation import write_projection
    run, samples, to = inputs.read(to, ".csv")
    count, measured, qualities = write_projection(run, samples, to, seed=seed)
    say(f"{count:,} samples: {to}")
    for name, quality in qualities.items():
        accuracy = quality.knn_accuracy
        more = "" if accuracy is None else f", 5-NN accuracy {100 * accuracy:.1f} %"
        kept = f"trustworthiness {quality.trustworthiness:.3f}{more}"
        say(f"{name}: {kept} ({measured:,} samples)")
