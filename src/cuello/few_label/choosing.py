"""Cross-validation inside the labelled rows: what a mode chooses by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from cuello.estimators.autoencoder import in_batches
from cuello.few_label.base import Problem, Solution

__all__ = ["choose", "scores_of"]

Fit = Callable[[Problem, float], nn.Module]


def choose(problem: Problem, candidates: Sequence[float], fit: Fit, *, what: str) -> Solution:
    """Compare candidates on held-out folds of the labelled rows, and fit the best one to them all.

    Parameters
    ----------
    problem : Problem
        A fold is the same problem with fewer labels: its rows are there, unlabelled.
    candidates : sequence of float
        What to choose from; the middle one is taken where there are no folds.
    fit : callable
        Returns a trained module for a problem and a candidate.
    what : str
        What the candidates are, for the sentence that says which was chosen.
    """
    rows, task = np.flatnonzero(problem.labelled), problem.task
    y = problem.y[rows]
    folds = task.folds(y, problem.options.cv, problem.seed)
    tried = {
        candidate: [
            scores_of(fit(problem.knowing(rows[a]), candidate), problem.x, rows[b], task.outputs)
            for a, b in folds
        ]
        for candidate in candidates
        if folds
    }
    cv_scores = {
        candidate: task.cv_score([(s, y[b]) for s, (_, b) in zip(scores, folds, strict=True)])
        for candidate, scores in tried.items()
    }
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


def _said(what: str, chosen: float, cv_scores: dict[float, float], unit: str, folds: int) -> str:
    if not cv_scores:
        return f"{what} {chosen:g}: too few labels to compare candidates, so the middle one."
    if len(cv_scores) == 1:
        return f"{what} {chosen:g}, as given: {unit} {cv_scores[chosen]:.3f} on {folds} folds."
    return (
        f"{what} {chosen:g}: {unit} {cv_scores[chosen]:.3f} on {folds} folds of the labelled rows, "
        f"the best of {len(cv_scores)}."
    )


def scores_of(
    module: nn.Module, x: Tensor, rows: npt.NDArray[np.int64], outputs: int
) -> npt.NDArray[np.float32]:
    """Return a module's scores (len(rows), outputs) of some rows, in evaluation mode."""
    module.eval()
    return in_batches(len(rows), lambda a, b: module(x[rows[a:b]]), (outputs,))
