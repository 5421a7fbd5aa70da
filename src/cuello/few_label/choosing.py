"""Cross-validation inside the labelled rows: what a mode chooses by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from cuello.estimators.batches import in_batches
from cuello.few_label.base import Problem, Solution

__all__ = ["Candidate", "choose", "scores_of"]

Scores = npt.NDArray[np.float32]
Candidate = float | str
Fit = Callable[[Problem, Any], nn.Module]


def choose(
    problem: Problem,
    candidates: Sequence[Candidate],
    fit: Fit,
    *,
    what: str,
    further: Callable[[Any], Sequence[Candidate]] = lambda best: (),
) -> Solution:
    """Compare candidates on held-out folds of the labelled rows, and fit the best one to them all.

    Parameters
    ----------
    problem : Problem
        A fold is the same problem with fewer labels: its rows are there, unlabelled.
    candidates : sequence of float or str
        What to choose from; the middle one is taken where there are no folds.
    fit : callable
        Returns a trained module for a problem and a candidate.
    what : str
        What the candidates are, for the sentence that says which was chosen.
    further : callable
        Returns candidates that come of the best one so far, to choose from as well; asked again
        until it returns none.
    """
    rows, task = np.flatnonzero(problem.labelled), problem.task
    y = problem.y[rows]
    folds = task.folds(y, problem.options.cv, problem.seed) if problem.options.cv else []
    tried: dict[Candidate, list[Scores]] = {}
    cv_scores: dict[Candidate, float] = {}

    def judge(candidate: Candidate) -> None:
        tried[candidate] = [
            scores_of(fit(problem.knowing(rows[a]), candidate), problem.x, rows[b], task.outputs)
            for a, b in folds
        ]
        pairs = zip(tried[candidate], folds, strict=True)
        cv_scores[candidate] = task.cv_score([(scores, y[b]) for scores, (_, b) in pairs])

    if folds:
        for candidate in candidates:
            judge(candidate)
        while more := further(max(cv_scores, key=cv_scores.__getitem__)):
            for candidate in more:
                judge(candidate)
    # Without folds the middle candidate is as good a guess as any.
    middle = candidates[len(candidates) // 2]
    chosen = max(cv_scores, key=cv_scores.__getitem__, default=middle)
    held_out = np.full((len(rows), task.outputs), np.nan, dtype=np.float32)
    for scores, (_, b) in zip(tried.get(chosen, []), folds, strict=True):
        held_out[b] = scores
    return Solution(
        module=fit(problem, chosen),
        held_out=held_out,
        cv_scores=cv_scores,
        chosen=chosen,
        said=[_said(what, chosen, cv_scores, task.unit, len(folds))],
    )


def _said(
    what: str, chosen: Candidate, cv_scores: dict[Candidate, float], unit: str, folds: int
) -> str:
    name = chosen if isinstance(chosen, str) else f"{chosen:g}"
    if not cv_scores:
        return f"{what} {name}, the middle candidate: no labels were held out to compare by."
    if len(cv_scores) == 1:
        return f"{what} {name}, as given: {unit} {cv_scores[chosen]:.3f} on {folds} folds."
    return (
        f"{what} {name}: {unit} {cv_scores[chosen]:.3f} on {folds} folds of the labelled rows, "
        f"the best of {len(cv_scores)}."
    )


def scores_of(module: nn.Module, x: Tensor, rows: npt.NDArray[np.int64], outputs: int) -> Scores:
    """Return a module's scores (len(rows), outputs) of some rows, in evaluation mode."""
    module.eval()
    return in_batches(len(rows), lambda a, b: module(x[rows[a:b]]), (outputs,))
