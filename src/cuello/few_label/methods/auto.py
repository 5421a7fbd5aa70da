"""What to do with few labels where nobody says: consistency, or what is seen to be better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import binomtest
from torch import nn

from cuello.few_label.base import METHODS, Method, Problem, Solution, register
from cuello.few_label.methods.label_spreading import Spread
from cuello.few_label.methods.mean_teacher import Consistency
from cuello.few_label.task import SingleLabel

__all__ = ["Auto"]

FEW_UNLABELLED = 0.5
"""Unlabelled rows for each labelled one, below which they are not worth a training of their own."""
FEW_LABELS = 10
"""Labels a class on average, below which the network starts from what spreading guesses.

Error with and without these guesses on held-out images of MNIST, 2,000 steps: 2.2 and 6.1 % with 3
labels a class, 1.8 and 1.7 % with 10, 0.9 and 0.6 % with 30.
"""
FIRST, FALLBACK = "mean_teacher", "fine_tune_slow"
CHANCE = 0.05
"""Probability below which a lead on held-out labels is taken for no chance."""


@final
class Auto(Method):
    """Spreads labels, trains a network for consistency, and fine-tunes the encoder.

    With very few labels the network starts from what was spread; with more it does better alone.

    Consistency is kept, unless one of the others was right on so many more of the held-out labels
    that chance is no explanation: a handful of labels cannot tell the ways apart, and those of its
    networks that were judged had a small part of the training that the kept one has.
    """

    name = "auto"
    summary = "spread, then consistency; or fine-tuning, where held-out labels show it is better"
    uses_unlabelled = True
    options: ClassVar[Mapping[str, str]] = {**Consistency.options, **Spread.options}

    def fit(self, problem: Problem) -> Solution:
        """Try what applies, and keep the best."""
        unfit = _why_not(problem)
        if unfit:
            return _named(METHODS[FALLBACK].fit(problem), FALLBACK, [unfit])
        few = problem.labelled.sum() < FEW_LABELS * problem.single_label.classes
        if not few and not problem.options.cv:
            why = "Consistency, with nothing held out to compare it with other ways by."
            return _named(Consistency().fit(problem), FIRST, [why])
        spreading, guess = Spread().solve(problem)
        found = {FIRST: Consistency().train(problem, guess if few else None)}
        if problem.options.cv:
            found |= {"label_spreading": spreading, FALLBACK: METHODS[FALLBACK].fit(problem)}
        best, why = _best(problem, found)
        said = [f"Of the ways to use the labels {best} was kept ({why})."]
        if few and best == FIRST:
            said.append("Labels are few, so it started from what spreading guesses.")
        return _named(found[best], best, said)

    def check(self, problem: Problem) -> None:
        """Refuse options of the modes it may use."""
        if isinstance(problem.task, SingleLabel):
            Spread().check(problem)
            Consistency().check(problem)

    def build(self, problem: Problem) -> nn.Module:
        """Return nothing: a solution names the mode that made it."""
        raise AssertionError("a solution of 'auto' carries the name of another mode")


def _why_not(problem: Problem) -> str:
    unlabelled = int((~problem.labelled).sum())
    labelled = len(problem.labelled) - unlabelled
    if not isinstance(problem.task, SingleLabel):
        return (
            f"Labels of task={problem.task.name!r} cannot be passed on from row to row, so the "
            f"encoder is fine-tuned (mode={FALLBACK!r})."
        )
    if unlabelled < FEW_UNLABELLED * labelled:
        return (
            f"{unlabelled} rows without a label beside {labelled} with one add little, so the "
            f"encoder is fine-tuned (mode={FALLBACK!r})."
        )
    return ""


def _best(problem: Problem, found: dict[str, Solution]) -> tuple[str, str]:
    """Return the way to keep, and why."""
    quality = {name: s.cv_scores.get(s.chosen, float("nan")) for name, s in found.items()}
    if np.isnan(quality[FIRST]):
        return FIRST, "no labels were held out to compare the ways by"
    y = problem.y[problem.labelled]
    right = {name: _right(problem, solution, y) for name, solution in found.items()}
    better = [
        name for name in found if name != FIRST and _beats(right[name], right[FIRST]) < CHANCE
    ]
    judged = ", ".join(f"{name} {value:.3f}" for name, value in quality.items())
    judged = f"{problem.task.unit} on folds: {judged}"
    if not better:
        return FIRST, f"{judged}; none was better beyond chance"
    best = max(better, key=quality.__getitem__)
    return best, f"{judged}; better beyond chance"


def _right(problem: Problem, solution: Solution, y: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    scores = problem.single_label.to_classes(torch.from_numpy(solution.held_out))
    right: npt.NDArray[np.bool_] = scores.argmax(dim=1).numpy() == y
    return right


def _beats(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Return how probable it is that ``one`` is right so much more often by chance (sign test)."""
    gains, losses = int((one & ~other).sum()), int((other & ~one).sum())
    if gains <= losses:
        return 1.0
    return float(binomtest(gains, gains + losses, alternative="greater").pvalue)


def _named(solution: Solution, method: str, said: list[str]) -> Solution:
    return replace(solution, method=method, said=[*said, *solution.said])


register(Auto())
