"""Commands that apply a run to further data: embed, reconstruct, classify, score, suggest."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cuello.cli import importing
from cuello.cli.command import command, with_parameters
from cuello.cli.console import say
from cuello.cli.options import OutOption, RunArgument, TrustRemoteCodeOption, expanded
from cuello.errors import Argument, InputError

if TYPE_CHECKING:
    from cuello.data import Dataset
    from cuello.run import Run

__all__ = ["PANEL", "Inputs", "on_data", "open_for"]

PANEL = "Apply to data"

_TABLES = {".csv", ".npy", ".npz", ".parquet", ".tsv"}
_DEFAULT_SUGGESTIONS = Path("suggestions.csv")


@dataclass(frozen=True)
class Inputs:
    """A run and the data to apply it to: the parameters that such commands have in common."""

    run: RunArgument
    data: Annotated[str, typer.Argument(help="A named set or a path.", metavar="DATA")]
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable files out.")] = (
        False
    )
    trust_remote_code: TrustRemoteCodeOption = False

    def read(self, to: Path, *suffixes: str, holes: bool = False) -> tuple[Run, Dataset, Path]:
        """Return run, data read as it did, and the expanded output, once that can be written."""
        to, source = expanded(to), expanded(Path(self.data))
        if to.exists() and source.exists() and to.samefile(source):
            raise InputError(
                "is the data itself", argument="out", value=str(to), remedy="choose another file"
            )
        run, to = open_for(self.run, to, *suffixes, trust_remote_code=self.trust_remote_code)
        samples = run.load(self.data, skip_bad=self.skip_bad, holes=holes)
        for note in samples.notes:
            say(f"note: {note}")
        return run, samples, to


def open_for(run: Path, to: Path, *suffixes: str, trust_remote_code: bool) -> tuple[Run, Path]:
    """Open a run, once the output can be written; return it and the expanded output."""
    with importing():
        from cuello.run import open_run
    run, to = expanded(run), expanded(to)
    _check_out(run, to, suffixes)
    return open_run(run, trust_remote_code=trust_remote_code), to


def _check_out(run: Path, to: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse, before any work, an output that cannot be written or would replace the input."""
    first = suffixes[0]
    problem: str | tuple[str | Argument, ...]
    if to.is_dir():
        problem, remedy = "is a folder", f"name a file, such as {to / f'output{first}'}"
    elif to.suffix.lower() in _TABLES - {*suffixes}:
        problem = f"has another format than this command writes, {' or '.join(suffixes)}"
        remedy = f"write {to.with_suffix(first)}"
    elif to.exists() and run.is_dir() and to.parent.samefile(run):
        problem, remedy = "is a file of the run", "choose another place"
    else:
        return
    raise InputError(problem, argument="out", value=str(to), remedy=remedy)


def on_data(*, examples: tuple[str, str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that registers a function of :class:`Inputs` and further options."""
    shared = inspect.signature(Inputs, eval_str=True).parameters

    def register(work: Callable[..., None]) -> Callable[..., None]:
        def run_on_data(**values: object) -> None:
            work(Inputs(**{name: values.pop(name) for name in shared}), **values)  # type: ignore[arg-type]

        run, data, *flags = shared.values()
        _, *options = inspect.signature(work, eval_str=True).parameters.values()
        parameters = [run, data, *options, *flags]
        return command(PANEL, examples=examples)(with_parameters(run_on_data, parameters, work))

    return register


@on_data(
    examples=(
        "cuello embed runs/digits digits -o embeddings.parquet",
        "cuello embed runs/scans new_scans/ -o embeddings.parquet --skip-bad",
    ),
)
def embed(inputs: Inputs, to: OutOption) -> None:
    """Write the embedding of every sample to Parquet."""
    run, samples, to = inputs.read(to, ".parquet")
    say(f"{run.embed(samples, to):,} samples: {to}")


@on_data(
    examples=(
        "cuello reconstruct runs/digits digits -o reconstructed.npz",
        "cuello reconstruct runs/sensors sensors.csv -o reconstructed.npz",
    ),
)
def reconstruct(inputs: Inputs, to: OutOption) -> None:
    """Write every sample after encoding and decoding, and its error, to .npz."""
    run, samples, to = inputs.read(to, ".npz")
    say(f"{run.reconstruct(samples, to):,} samples: {to}")


@on_data(
    examples=(
        "cuello classify runs/digits digits -o labels.csv",
        "cuello classify runs/scans new_scans/ -o labels.csv --min-precision 0.99",
    ),
)
def classify(
    inputs: Inputs,
    to: OutOption,
    min_precision: Annotated[
        float | None,
        typer.Option(
            help="For classes: share of decided samples that must be right; others are undecided.",
            show_default="0.95",
        ),
    ] = None,
) -> None:
    """Write the predicted class, properties or number of every sample to CSV."""
    with importing():
        from cuello.run.predictions import MIN_PRECISION, check_min_precision
    check_min_precision(MIN_PRECISION if min_precision is None else min_precision)
    run, samples, to = inputs.read(to, ".csv")
    say(f"{run.classify(samples, to, min_precision=min_precision).summary()}: {to}")


@on_data(
    examples=(
        "cuello anomalies runs/sensors sensors.csv -o scores.csv",
        "cuello anomalies runs/sensors sensors.csv -o scores.csv --false-positive-rate 5%",
    ),
)
def anomalies(
    inputs: Inputs,
    to: OutOption,
    false_positive_rate: Annotated[
        str, typer.Option(help="Share of normal samples that may be flagged: 1%, or 0.01.")
    ] = "1%",
    contamination: Annotated[
        str | None,
        typer.Option(help="Share of these samples that are anomalies (5%): sets the threshold."),
    ] = None,
    method: Annotated[
        str, typer.Option(help="Anomaly score: combined, or a single one, such as reconstruction.")
    ] = "combined",
) -> None:
    """Write the anomaly score of every sample, and the features it comes from, to CSV."""
    rate = _parse_share("false_positive_rate", false_positive_rate)
    share = None if contamination is None else _parse_share("contamination", contamination)
    run, samples, to = inputs.read(to, ".csv")
    result = run.anomalies(
        samples, to, method=method, false_positive_rate=rate, contamination=share
    )
    say(f"{result.summary()}: {to}")


def _parse_share(name: str, text: str) -> float:
    """Return a share above 0 and below 1 from ``1%`` or ``0.01``."""
    number = text.strip()
    try:
        share = float(number[:-1]) / 100.0 if number.endswith("%") else float(number)
    except ValueError:
        share = float("nan")
    if not 0.0 < share < 1.0:
        raise InputError(
            argument=name, value=text, allowed="a share above 0 and below 1, such as 1% or 0.01"
        )
    return share


@on_data(
    examples=(
        "cuello suggest runs/digits digits -n 20",
        "cuello suggest runs/scans scans/ -n 50 -o to_label.csv",
    ),
)
def suggest(
    inputs: Inputs,
    number: Annotated[int, typer.Option("--number", "-n", help="Number of samples.", min=1)] = 50,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The file to write.", show_default=str(_DEFAULT_SUGGESTIONS)
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed suggests the same samples.", min=0)] = 0,
) -> None:
    """Write the samples whose labels would help most, and why, to CSV."""
    # Somebody may have filled labels in by now: only who names the file replaces it.
    if to is None and _DEFAULT_SUGGESTIONS.exists():
        raise InputError(
            "exists already",
            value=str(_DEFAULT_SUGGESTIONS),
            remedy="name the file to write with --out",
        )
    run, samples, to = inputs.read(to or _DEFAULT_SUGGESTIONS, ".csv")
    count = run.suggest(samples, number, to, seed=seed)
    fewer = "" if count == number else " (no more are unlabelled)"
    say(f"{count:,} samples to label{fewer}: {to}")
