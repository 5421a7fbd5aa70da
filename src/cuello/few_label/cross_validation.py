"""Cross-validation among the labelled samples, by which methods choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from cuello.arrays import Float32s, Indices
from cuello.estimators.batches import in_batches
from cuello.few_label.base import LearningProblem, Solution

__all__ = ["FOLD_SHARE", "Candidate", "scores_of", "select"]

FOLD_SHARE = 0.1
"""Length of a training that is only evaluated on its fold, where a whole one takes long."""

Candidate = float | str
Fit = Callable[[LearningProblem, Any], nn.Module]


def select(
    problem: LearningProblem,
    candidates: Sequence[Candidate],
    fit: Fit,
    *,
    title: str,
    further: Callable[[Any], Sequence[Candidate]] = lambda best: (),
) -> Solution:
    """Compare candidates on held-out folds of the labelled samples, and fit the best one to all.

    Parameters
    ----------
    problem : LearningProblem
        A fold is the same problem with fewer labels: its samples are there, unlabelled.
    candidates : sequence of float or str
        What to choose from; the middle one is taken where there are no folds.
    fit : callable
        Returns a trained module for a problem and a candidate.
    title : str
        What the candidates are, for the summary.
    further : callable
        Returns candidates that follow from the best one so far, to choose from as well; asked again
        until it returns none.
    """
    index, task = np.flatnonzero(problem.labelled), problem.task
    y = problem.y[index]
    folds = task.folds(y, problem.options.cv, problem.seed) if problem.options.cv else []
    fold_scores: dict[Candidate, list[Float32s]] = {}
    cv_scores: dict[Candidate, float] = {}

    def evaluate(candidate: Candidate) -> None:
        fold_scores[candidate] = [
            scores_of(
                fit(problem.with_labels_of(index[a]), candidate), problem.x, index[b], task.outputs
            )
            for a, b in folds
        ]
        pairs = zip(fold_scores[candidate], folds, strict=True)
        cv_scores[candidate] = task.cv_score([(scores, y[b]) for scores, (_, b) in pairs])

    if folds:
        for candidate in candidates:
            evaluate(candidate)
        while more := further(max(cv_scores, key=cv_scores.__getitem__)):
            for candidate in more:
                evaluate(candidate)
    # Without folds the middle candidate is as good a guess as any.
    middle = candidates[len(candidates) // 2]
    chosen = max(cv_scores, key=cv_scores.__getitem__, default=middle)
    held_out = np.full((len(index), task.outputs), np.nan, dtype=np.float32)
    for scores, (_, b) in zip(fold_scores.get(chosen, []), folds, strict=True):
        held_out[b] = scores
    return Solution(
        module=fit(problem, chosen),
        held_out=held_out,
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


def scores_of(module: nn.Module, x: Tensor, index: Indices, outputs: int) -> Float32s:
    """Return a module's scores (len(index), outputs) of some samples, in evaluation mode."""
    module.eval()
    return in_batches(len(index), lambda a, b: module(x[index[a:b]]), (outputs,))
