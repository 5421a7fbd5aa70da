"""Networks that differ in one option: their data, their losses by epoch, and the figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cuello.data import load
from cuello.estimators import Autoencoder
from cuello.estimators.many import fit_many
from cuello.study.figures import new
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial
from cuello_labs._bands import Curve, draw_bands, log_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DATA_OPTIONS",
    "best_rates",
    "by_data",
    "clearly_below",
    "curve",
    "decide",
    "estimator",
    "fit_curves",
    "panels",
    "rounded",
    "split_samples",
]

Array = npt.NDArray[Any]

DATA_OPTIONS = ("set", "train_size", "held_out")
"""Options of a trial that name its data; all others are those of the estimator."""

_TABLES = ("wine", "breast_cancer", "diabetes")


def split_samples(name: str, train_size: int, held_out: int) -> tuple[Array, Array]:
    """Return samples to train (train_size, features) and held out (held_out, features), float32.

    Images are flattened, their pixels in 0..1. MNIST's held-out samples are the first of the
    official test set; the other sets are split in a fixed random order. Fewer samples come where
    the set has fewer.
    """
    if name in _TABLES:
        from sklearn import datasets

        raw = {"scaled": False} if name == "diabetes" else {}
        table = getattr(datasets, f"load_{name}")(**raw).data
    else:
        data = load(name)
        table = data.X.reshape(len(data.X), -1) / 255.0
        if data.X_test is not None:
            test = data.X_test[:held_out].reshape(-1, table.shape[1]) / 255.0
            return table[:train_size].astype(np.float32), test.astype(np.float32)
    order = np.random.default_rng(0).permutation(len(table))
    indices = order[held_out : held_out + train_size], order[:held_out]
    return table[indices[0]].astype(np.float32), table[indices[1]].astype(np.float32)


def by_data(trials: Iterable[Trial]) -> list[tuple[Array, Array, list[Trial]]]:
    """Return training samples, held-out samples, and the trials that are run on them."""
    groups: dict[tuple[Any, ...], list[Trial]] = {}
    for trial in trials:
        groups.setdefault(tuple(trial.options[name] for name in DATA_OPTIONS), []).append(trial)
    return [(*split_samples(*where), subset) for where, subset in groups.items()]


def estimator(trial: Trial, base: Mapping[str, Any]) -> Autoencoder:
    """Return the estimator of a trial's options, over those that all trials share."""
    options = {name: value for name, value in trial.options.items() if name not in DATA_OPTIONS}
    # Pixels of flattened images share one unit; columns of tables have different ones.
    scaling = "auto" if trial.options["set"] in _TABLES else "none"
    return Autoencoder(**{"scaling": scaling, **base, **options}, random_state=trial.seed)


def fit_curves(trials: list[Trial], base: Mapping[str, Any]) -> Ran:
    """Train the network of each trial, and yield its losses by epoch.

    The result holds ``train`` and ``held_out`` (lists, one number an epoch; short where the
    training diverged), ``train_end`` and ``held_out_end`` (their last ones; None where it
    diverged), and ``diverged``. The last epoch is reported, not the best: held-out
    samples are watched and choose nothing.
    """
    for X, held_out, subset in by_data(trials):
        models = [estimator(trial, base) for trial in subset]
        for index, error in fit_many(models, X, validation=held_out):
            history = models[index].history_
            train = rounded(sum(epoch.train.values()) for epoch in history)
            test = rounded(sum((epoch.validation or {}).values()) for epoch in history)
            finished = error is None and all(v is not None for v in (train[-1], test[-1]))
            yield (
                subset[index],
                {
                    "diverged": not finished,
                    "train": train,
                    "held_out": test,
                    "train_end": train[-1] if finished else None,
                    "held_out_end": test[-1] if finished else None,
                },
            )


def rounded(numbers: Iterable[float], digits: int = 5) -> list[float | None]:
    """Return numbers with this many significant digits; None for those that are not finite.

    Examples
    --------
    >>> rounded([0.123456789, float("nan")])
    [0.12346, None]
    """
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in map(float, numbers)]


def curve(records: Sequence[Record], name: str, *, first: float = 1) -> Curve:
    """Return a measure by epoch, (seeds, epochs); NaN where a list is short."""
    length = max(len(record[name]) for record in records)
    runs = np.full((len(records), length), np.nan)
    for line, record in zip(runs, records, strict=True):
        numbers = record[name]
        line[: len(numbers)] = [math.nan if value is None else value for value in numbers]
    return Curve([first + i for i in range(length)], runs)


def best_rates(
    records: Sequence[Record], *names: str, score: str = "train_end"
) -> dict[tuple[Any, ...], tuple[float, list[Record]]]:
    """Return, by the values of these options, the learning rate that trains best, and its records.

    The lowest mean over seeds of the score on training samples; a rate at which any seed
    diverged is only taken where all rates have one.

    Examples
    --------
    >>> records = [
    ...     {"options": {"a": 1, "learning_rate": r}, "seed": 0, "train_end": r * r - r}
    ...     for r in (0.1, 0.5, 0.8)
    ... ]
    >>> {key: rate for key, (rate, _) in best_rates(records, "a").items()}
    {(1,): 0.5}
    """

    def mean(subset: list[Record]) -> tuple[int, float]:
        measured = spread(values(subset, score))
        return measured.left_out, measured.mean if measured.count else math.inf

    best = {}
    for key, subset in group(records, *names).items():
        rates = group(subset, "learning_rate")
        chosen = min(rates, key=lambda rate: mean(rates[rate]))
        best[key] = (float(chosen[0]), rates[chosen])
    return best


def clearly_below(low: Spread, high: Spread) -> bool | None:
    """Return whether the first mean is below the second; None within 2 standard errors.

    A setting whose trainings all diverged counts as infinitely high.

    Examples
    --------
    >>> one, two, wide = spread([1.0, 1.1]), spread([2.0, 2.1]), spread([0.0, 3.0])
    >>> clearly_below(one, two), clearly_below(two, one), clearly_below(one, wide)
    (True, False, None)
    """
    if not low.count or not high.count:
        return None if low.count == high.count else bool(low.count)
    difference = high.mean - low.mean
    error = math.hypot(low.standard_error, high.standard_error)
    return None if abs(difference) <= 2 * error else difference > 0


def decide(judged: Iterable[bool | None]) -> bool | None:
    """Return whether a statement holds that was judged in more than one setting.

    It does if more than half of them say so and none says the opposite; it does not if more say
    the opposite than say so; otherwise nothing is decided.

    Examples
    --------
    >>> decide([True, True, None]), decide([True, False, False]), decide([True, None])
    (True, False, None)
    """
    every = list(judged)
    yes, no = every.count(True), every.count(False)
    if no > yes:
        return False
    return True if not no and 2 * yes > len(every) else None


def panels(
    drawn: Mapping[str, Mapping[str, Curve]],
    *,
    x: str,
    y: str,
    columns: int = 2,
    log_x: bool = False,
    log_y: bool = False,
    same_y: bool = True,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw :func:`~cuello_labs._bands.bands` side by side, by title, with one legend.

    All panels are to hold the same labels, so that colours mean the same. ``limits``
    are those of the y axis.
    """
    columns = min(columns, len(drawn))
    lines = -(-len(drawn) // columns)
    size = {"width": 1.2 + 4.0 * columns, "height": 0.9 + 3.1 * lines}
    with new(columns, lines, **size, squeeze=False, sharey=same_y) as (figure, grid):
        for index, axes in enumerate(grid.flat):
            axes.set_visible(index < len(drawn))
        for axes, (title, curves) in zip(grid.flat, drawn.items(), strict=False):
            draw_bands(axes, curves)
            axes.set_title(title, loc="left")
            axes.set_xlabel(x)
            if log_x:
                log_axis(axes, "x", next(iter(curves.values())).x)
            if log_y:
                log_axis(axes, "y")
            if limits is not None:
                axes.set_ylim(*limits)
        for line in grid:
            line[0].set_ylabel(y)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        if len(labels) > 1:
            across = min(len(labels), 2 * columns)
            figure.legend(handles, labels, loc="outside upper center", ncols=across, fontsize=9)
    return figure
