"""`cuello denoise`, `sample`, `interpolate`, `impute` and `project`: what decoders are good for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cuello.cli.apply import open_and_read, open_for
from cuello.cli.command import FlagSpelling, command
from cuello.cli.console import out
from cuello.cli.interrupt import importing
from cuello.cli.options import (
    DataArgument,
    OutOption,
    RunArgument,
    SkipOption,
    TrustRemoteCodeOption,
    parse_names,
)
from cuello.errors import CuelloWarning, InputError

__all__: list[str] = []

_PANEL = "Apply to data"


@command(
    _PANEL,
    examples=(
        "cuello denoise runs/digits noisy.npz -o denoised.npz",
        "cuello denoise runs/scans scans/ -o denoised.npz --masked 0.3",
    ),
)
def denoise(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    masked: Annotated[
        float,
        typer.Option("--masked", help="Share of the values that noise set to 0, if known."),
    ] = 0.0,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write every sample without its noise to .npz."""
    with importing():
        from cuello.run.generation import write_denoised
    opened, samples, to = open_and_read(
        run, data, to, (".npz",), skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    with _warnings_as_notes():
        count = write_denoised(opened, samples, to, masked=masked)
    out.print(f"{count:,} rows: {to}", soft_wrap=True)


@command(
    _PANEL,
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
            "--sampler",
            help="auto, prior (kinds that have one) or mixture (of Gaussians, fitted to all "
            "embeddings).",
        ),
    ] = "auto",
    classes: Annotated[
        str | None,
        typer.Option("--classes", help="Classes of the new samples, in turn, such as cat,dog."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed, the same samples.", min=0)] = 0,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write new samples to .npz, and images side by side to .png."""
    with importing():
        from cuello.run.generation import write_samples
    opened, to = open_for(run, to, (".npz",), trust_remote_code=trust_remote_code)
    source = write_samples(
        opened, number, to, sampler=sampler, classes=parse_names(classes), seed=seed
    )
    out.print(f"{number:,} new samples ({source}): {to}", soft_wrap=True)


@command(
    _PANEL,
    examples=(
        "cuello interpolate runs/digits digits --rows 3,17 -o path.npz",
        "cuello interpolate runs/digits digits --rows 3,17,42 --steps 12 -o path.npz",
    ),
)
def interpolate(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    rows: Annotated[str, typer.Option("--rows", help="Two or more, counted from 0, such as 3,17.")],
    steps: Annotated[
        int, typer.Option("--steps", help="Samples from one row to the next, both counted.", min=2)
    ] = 9,
    method: Annotated[
        str, typer.Option("--method", help="auto, linear, or spherical (around 0).")
    ] = "auto",
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write the samples between rows, through their embeddings, to .npz, and images to .png."""
    with importing():
        from cuello.run.generation import write_interpolation
    places = _row_numbers(rows)
    opened, samples, to = open_and_read(
        run, data, to, (".npz",), skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    count = write_interpolation(opened, samples, places, steps, to, method=method)
    out.print(f"{count:,} rows: {to}", soft_wrap=True)


@command(
    _PANEL,
    examples=(
        "cuello impute runs/sensors sensors.csv -o filled.csv",
        "cuello impute runs/sensors sensors.csv --draws 20 -o draws.npz",
    ),
)
def impute(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    draws: Annotated[
        int,
        typer.Option(
            "--draws",
            help="Imputations of each row; 2 or more for kinds with a posterior, such as "
            "variational.",
            min=1,
        ),
    ] = 1,
    seed: Annotated[int, typer.Option(help="The same seed, the same draws.", min=0)] = 0,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Fill missing values from the rest of their row; write .csv for tables, or .npz."""
    with importing():
        from cuello.run.generation import write_imputed
    opened, samples, to = open_and_read(
        run,
        data,
        to,
        (".csv", ".npz"),
        skip_bad=skip_bad,
        trust_remote_code=trust_remote_code,
        holes=True,
    )
    count = write_imputed(opened, samples, to, draws=draws, seed=seed)
    out.print(f"{count:,} rows with missing values, filled: {to}", soft_wrap=True)


@command(
    _PANEL,
    examples=(
        "cuello project runs/digits digits -o projection.csv",
        "cuello project runs/scans new_scans/ -o projection.csv --seed 1",
    ),
)
def project(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    seed: Annotated[int, typer.Option(help="The same seed, the same projection.", min=0)] = 0,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write 2-D coordinates of every sample to CSV, and their quality beside PCA."""
    with importing():
        from cuello.run.generation import write_projection
    opened, samples, to = open_and_read(
        run, data, to, (".csv",), skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    done = write_projection(opened, samples, to, seed=seed)
    out.print(f"{done.rows:,} rows: {to}", soft_wrap=True)
    for name, quality in done.quality.items():
        accuracy = quality.knn_accuracy
        more = "" if accuracy is None else f", 5-NN accuracy {100 * accuracy:.1f} %"
        out.print(
            f"{name}: trustworthiness {quality.trustworthiness:.3f}{more} ({done.measured:,} rows)",
            soft_wrap=True,
        )


def _row_numbers(text: str) -> list[int]:
    numbers = [part.strip() for part in text.split(",")]
    if not all(number.isdecimal() for number in numbers):
        raise InputError(
            argument="rows", value=text, allowed="row numbers with commas between, such as 3,17"
        )
    return [int(number) for number in numbers]


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CuelloWarning)
        yield
    for warning in caught:
        if isinstance(warning.message, CuelloWarning):
            text = warning.message.render(FlagSpelling({}))
            out.print(f"note: {text}", soft_wrap=True)
