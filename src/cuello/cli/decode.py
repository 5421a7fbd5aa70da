"""`cuello denoise`, `sample`, `interpolate`, `impute` and `reduce`: what a model is good for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cuello.cli.apply import (
    DataArgument,
    OutOption,
    RunArgument,
    SkipOption,
    TrustRemoteCodeOption,
    opened_and_read,
    opened_for,
)
from cuello.cli.console import out
from cuello.cli.flags import FlagCommand, in_flags
from cuello.cli.interrupt import importing
from cuello.cli.options import expanded
from cuello.errors import InputError

__all__ = ["add_to"]


def denoise(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    masked: Annotated[
        float,
        typer.Option("--masked", help="Share of the elements that noise set to 0, if known."),
    ] = 0.0,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write every row without its noise to .npz."""
    with importing():
        from cuello.run.decoding import write_denoised
    to = expanded(to)
    opened, rows = opened_and_read(
        "denoise", run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    with _warnings_as_notes():
        count = write_denoised(opened, rows, to, masked=masked)
    out.print(f"{count:,} rows: {to}", soft_wrap=True)


def sample(
    run: RunArgument,
    to: OutOption,
    number: Annotated[int, typer.Option("--number", "-n", help="How many rows.", min=1)] = 64,
    sampler: Annotated[
        str,
        typer.Option(
            "--how",
            help="auto, prior (kinds whose codes follow one) or mixture (fitted to all codes).",
        ),
    ] = "auto",
    classes: Annotated[
        str | None,
        typer.Option("--classes", help="Of the new rows, in turn, such as cat,dog."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed, the same rows.", min=0)] = 0,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write new rows to .npz; images side by side to .png, too."""
    with importing():
        from cuello.run.sampling import write_samples
    to = expanded(to)
    opened = opened_for("sample", run, to, trust_remote_code=trust_remote_code)
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    said = write_samples(opened, number, to, sampler=sampler, classes=names, seed=seed)
    out.print(f"{number:,} new rows ({said}): {to}", soft_wrap=True)


def interpolate(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    rows: Annotated[str, typer.Option("--rows", help="Two or more, counted from 0, such as 3,17.")],
    steps: Annotated[
        int, typer.Option("--steps", help="Rows from one to the next, both counted.", min=2)
    ] = 9,
    method: Annotated[
        str, typer.Option("--how", help="auto, linear, or spherical (around 0).")
    ] = "auto",
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write the way from row to row through the codes to .npz; images to .png, too."""
    with importing():
        from cuello.run.decoding import write_interpolation
    to, places = expanded(to), _row_numbers(rows)
    opened, there = opened_and_read(
        "interpolate", run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    count = write_interpolation(opened, there, places, steps, to, method=method)
    out.print(f"{count:,} rows: {to}", soft_wrap=True)


def impute(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    draws: Annotated[
        int,
        typer.Option(
            "--draws", help="Fillings of each row; from 2 on for kinds such as variational.", min=1
        ),
    ] = 1,
    seed: Annotated[int, typer.Option(help="The same seed, the same draws.", min=0)] = 0,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Fill empty cells (or NaN) from the rest of their row; write .csv for tables, or .npz."""
    with importing():
        from cuello.run.decoding import write_imputed
    to = expanded(to)
    opened, rows = opened_and_read(
        "impute", run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code, holes=True
    )
    count = write_imputed(opened, rows, to, draws=draws, seed=seed)
    out.print(f"{count:,} rows were not whole and are filled: {to}", soft_wrap=True)


def reduce(
    run: RunArgument,
    data: DataArgument,
    to: OutOption,
    seed: Annotated[int, typer.Option(help="The same seed, the same map.", min=0)] = 0,
    skip_bad: SkipOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
) -> None:
    """Write a place in the plane for every row to CSV, and how much that keeps, beside PCA."""
    with importing():
        from cuello.run.projection import write_projection
    to = expanded(to)
    opened, rows = opened_and_read(
        "reduce", run, data, to, skip_bad=skip_bad, trust_remote_code=trust_remote_code
    )
    done = write_projection(opened, rows, to, seed=seed)
    out.print(f"{done.rows:,} rows: {to}", soft_wrap=True)
    for name, quality in done.quality.items():
        accuracy = quality.knn_accuracy
        more = "" if accuracy is None else f", 5-NN accuracy {100 * accuracy:.1f} %"
        out.print(
            f"{name}: trustworthiness {quality.trustworthiness:.3f}{more} ({done.measured:,} rows)",
            soft_wrap=True,
            highlight=False,
        )


def _row_numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"--rows {text} is not a list of row numbers; write for example 3,17.")
    return [int(part) for part in parts]


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    from cuello.errors import CuelloWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CuelloWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, CuelloWarning):
            text = in_flags(str(warning.message), {"kind": "--kind"})
            out.print(f"note: {text}", soft_wrap=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (denoise, sample, interpolate, impute, reduce):
        app.command(cls=FlagCommand)(command)
