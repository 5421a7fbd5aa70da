"""Held-out labels: by them methods choose, and the accuracy of a classifier is estimated.

Shapes: n labelled samples, C outputs of the head.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cuello.arrays import Array, Float32s, Indices
from cuello.errors import CuelloWarning
from cuello.estimators.network import in_batches
from cuello.few_label.base import LearningProblem, Solution
from cuello.few_label.tasks import SingleLabel, Task
from cuello.metrics import Interval, accuracy_interval, expected_calibration_error, temperature

__all__ = ["FOLD_SHARE", "TOO_WIDE", "Candidate", "assess", "scores_of", "select", "train_long"]

FOLD_SHARE = 0.1
"""Length of a training that is only evaluated on its fold, where a whole one takes long."""

Candidate = float | str
MAX_WIDTH = 0.2
"""Of the interval of an accuracy: a wider one tells little."""
TOO_WIDE = "the accuracy is only known to be"
"""Beginning of the warning of such an interval, for whoever compares many classifiers."""
_BIN_SAMPLES = 20  # what expected_calibration_error advises for few samples


def select(
    problem: LearningProblem,
    candidates: Sequence[Candidate],
    fit: Callable[[LearningProblem, Any], nn.Module],
    *,
    title: str,
    further: Callable[[Any], Sequence[Candidate]] = lambda best: (),
) -> Solution:
    """Compare candidates on held-out folds of the labelled samples, and fit the best one to all.

    A fold is the same problem with fewer labels: its samples are there, unlabelled. ``fit`` returns
    a trained module for a problem and a candidate; ``further`` returns candidates that follow from
    the best one so far, to choose from as well, and is asked until it returns none.
    """
    index, task = np.flatnonzero(problem.labelled), problem.task
    y, cv = problem.y[index], problem.options.cv
    folds = task.folds(y, cv, problem.seed) if cv else []
    nothing = np.full((len(index), task.outputs), np.nan, dtype=np.float32)
    held_out: dict[Candidate, Float32s] = {}
    cv_scores: dict[Candidate, float] = {}
    untried = candidates if folds else ()
    while untried:
        for candidate in untried:
            scores = held_out[candidate] = nothing.copy()
            for train, test in folds:
                labelled = np.isin(np.arange(len(problem.x)), index[train])
                module = fit(replace(problem, labelled=labelled), candidate)
                scores[test] = scores_of(module, problem.x, index[test], task.outputs)
            cv_scores[candidate] = task.cv_score([(scores[test], y[test]) for _, test in folds])
        untried = further(max(cv_scores, key=cv_scores.__getitem__))
    # Without folds the middle candidate is as good a guess as any.
    middle = candidates[len(candidates) // 2]
    chosen = max(cv_scores, key=cv_scores.__getitem__, default=middle)
    return Solution(
        module=fit(problem, chosen),
        held_out=held_out.get(chosen, nothing),
        cv_scores=cv_scores,
        chosen=chosen,
        summary=[_sentence(title, chosen, cv_scores, task.unit, len(folds))],
    )


def _sentence(
    title: str, chosen: Candidate, cv_scores: dict[Candidate, float], unit: str, folds: int
) -> str:
    name = chosen if isinstance(chosen, str) else f"{chosen:g}"
    if not cv_scores:
        return f"{title} {name}, the middle candidate: no labels were held out to compare by."
    if len(cv_scores) == 1:
        return f"{title} {name}, as given: {unit} {cv_scores[chosen]:.3f} on {folds} folds."
    return (
        f"{title} {name}: {unit} {cv_scores[chosen]:.3f} on {folds} folds of the labelled samples, "
        f"the best of {len(cv_scores)}."
    )


def train_long(
    problem: LearningProblem,
    rate: float,
    fit: Callable[[LearningProblem, float, int], nn.Module],
    *,
    length: int,
    shortest: int,
    trained: str,
) -> Solution:
    """Train with all labels; and, shorter and without callbacks, without those of each fold.

    ``trained`` is the first sentence of the summary without its full stop.
    """
    fold_length = min(max(round(FOLD_SHARE * length), shortest), length)

    def fit_fold(part: LearningProblem, rate: float) -> nn.Module:
        if part is problem:
            return fit(part, rate, length)
        return fit(replace(part, callbacks=None), rate, fold_length)

    solution = select(problem, (rate,), fit_fold, title="Learning rate")
    if problem.options.cv:
        trained += f", and {fold_length} for each fold: the estimates from folds are cautious"
    return replace(solution, summary=[f"{trained}.", *solution.summary])


def scores_of(module: nn.Module, x: Tensor, index: Indices, outputs: int) -> Float32s:
    """Return a module's scores (len(index), outputs) of some samples, in evaluation mode."""
    module.eval()
    return in_batches(len(index), lambda a, b: module(x[index[a:b]]), (outputs,))


def assess(
    task: Task, held_out: Array, y: Array, *, find_temperature: bool
) -> tuple[float, Interval | None, list[str]]:
    """Return temperature and accuracy of a classifier by held-out scores (n, C), and sentences.

    The scores are of models that were not trained on those samples, NaN where there are none. The
    temperature is 1 unless it is to be found; the accuracy is None where nothing was held out, or
    labels are no classes. Warns of an interval wider than ``MAX_WIDTH``.
    """
    finite = np.isfinite(held_out).all(axis=1)
    if not isinstance(task, SingleLabel) or not finite.any():
        return 1.0, None, []
    scores, y = held_out[finite], y[finite]
    t = 1.0
    if find_temperature:
        # Networks of folds learn from fewer labels, and some for fewer steps, so they are less
        # confident than the one that is kept: they may make it less confident, never more.
        t = max(temperature(task.to_classes(torch.from_numpy(scores)).numpy(), y), 1.0)
    p = task.link(scores, t)
    estimate = accuracy_interval(int((p.argmax(axis=1) == y).sum()), len(y))
    error = expected_calibration_error(p, y, max(round(len(y) / _BIN_SAMPLES), 2))
    warn_of_width(estimate, len(y))
    summary = [
        f"Accuracy: about {_percent(estimate.estimate)}, and between {_percent(estimate.low)} and "
        f"{_percent(estimate.high)} with 95 % confidence, by {len(y)} labelled samples, each "
        "predicted by a model that learned without it and from fewer labels: a cautious figure.",
        "On those samples the probability of the prediction differs from how often it is right by "
        f"{100 * error:.1f} points on average (expected calibration error; temperature {t:.2f}).",
    ]
    return t, estimate, summary


def warn_of_width(estimate: Interval, n: int) -> None:
    """Warn where an interval by n labels is wider than ``MAX_WIDTH``: it tells little."""
    share, low, high = estimate
    if high - low <= MAX_WIDTH:
        return
    enough, width = 0, 1.0
    while width > MAX_WIDTH:
        enough += 10
        _, least, most = accuracy_interval(round(share * enough), enough)
        width = most - least
    warnings.warn(
        f"{TOO_WIDE} between {_percent(low)} and {_percent(high)}: {n} labels are few to measure "
        f"it by; about {enough} would narrow it to {100 * MAX_WIDTH:.0f} points.",
        CuelloWarning,
        stacklevel=2,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
