"""The automatic choice: quick methods first, and a mean teacher where it could be better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import final

import numpy as np
import torch
from scipy.stats import binomtest
from torch import nn

from cuello.arrays import Bools
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution
from cuello.few_label.methods.fine_tuning import FALLBACK
from cuello.few_label.methods.label_spreading import LabelSpreading
from cuello.few_label.methods.mean_teacher import MeanTeacherMethod
from cuello.few_label.tasks import SingleLabel
from cuello.options import Option

__all__ = ["Auto"]

FEW_UNLABELLED = 0.5
"""Unlabelled samples for each labelled one, below which they are not worth a training."""
FEW_LABELS = 10
"""Labels a class on average, below which the network starts from the pseudo-labels of spreading.

Error with and without them on held-out images of MNIST, 2,000 steps: 2.2 and 6.1 % with 3 labels a
class, 1.8 and 1.7 % with 10, 0.9 and 0.6 % with 30.
"""
FIRST = MeanTeacherMethod.name
SIGNIFICANCE = 0.05
"""Probability below which a lead on held-out labels is not explained by chance."""
ROOM = 0.05
"""Share of wrong predictions above which another method is tried, however few labels there are."""


@final
class Auto(Method):
    """Spreads labels; where that leaves room, trains a mean teacher and fine-tunes the encoder.

    No other method is trained where label spreading is wrong on so few held-out labels that being
    right on these, too, would be explained by chance, and on no more than ``ROOM`` of them.
    Otherwise the mean teacher is kept,
    unless another was right on so many more held-out labels that chance is no explanation: a
    handful of labels cannot tell the methods apart, and its networks that were evaluated had a
    small part of the training of the kept one.
    """

    name = "auto"
    display_name = "Automatic choice"
    summary = (
        "Spreads labels; where that leaves room to be better, trains a mean teacher and "
        "fine-tunes the encoder, and keeps what held-out labels show to be best."
    )
    uses_unlabelled = True

    @property
    def options(self) -> Mapping[str, Option]:
        """Those of the methods that it may use."""
        return {**MeanTeacherMethod().options, **LabelSpreading().options}

    def fit(self, problem: LearningProblem) -> Solution:
        """Try the methods that apply, and keep the best."""
        if reason := _reason_to_fine_tune(problem):
            why = f"{reason}, so the encoder is fine-tuned (method={FALLBACK!r})."
            return _kept(METHODS[FALLBACK].fit(problem), FALLBACK, [why])
        few = problem.labelled.sum() < FEW_LABELS * problem.single_label.classes
        if not few and not problem.options.cv:
            why = "A mean teacher, as no labels were held out to compare it with other methods."
            return _kept(MeanTeacherMethod().fit(problem), FIRST, [why])
        spreading, pseudo_labels = LabelSpreading().solve(problem)
        if not few and (why := _reason_to_stop(problem, spreading)):
            return _kept(spreading, LabelSpreading.name, [why])
        solutions = {FIRST: MeanTeacherMethod().fit(problem, pseudo_labels if few else None)}
        if problem.options.cv:
            solutions |= {LabelSpreading.name: spreading, FALLBACK: METHODS[FALLBACK].fit(problem)}
        best, why = _best_of(problem, solutions)
        summary = [f"Of the methods {best} was kept ({why})."]
        if few and best == FIRST:
            summary.append("Labels are few, so it started from the pseudo-labels of spreading.")
        return _kept(solutions[best], best, summary)

    def check(self, problem: LearningProblem) -> None:
        """Refuse options of the methods that it may use."""
        if isinstance(problem.task, SingleLabel):
            LabelSpreading().check(problem)
            MeanTeacherMethod().check(problem)

    def build(self, problem: LearningProblem) -> nn.Module:
        """Refuse to be called: a solution names the method that made it."""
        raise AssertionError("a solution of 'auto' carries the name of another method")


METHODS.add(Auto.name, Auto())


def _reason_to_fine_tune(problem: LearningProblem) -> str:
    unlabelled = int((~problem.labelled).sum())
    labelled = len(problem.labelled) - unlabelled
    if not isinstance(problem.task, SingleLabel):
        return f"With task={problem.task.name!r} samples have no single class"
    if unlabelled < FEW_UNLABELLED * labelled:
        return f"{unlabelled} samples without a label beside {labelled} with one add little"
    return ""


def _best_of(problem: LearningProblem, solutions: Mapping[str, Solution]) -> tuple[str, str]:
    """Return the method to keep, and why."""
    scores = {name: solution.cv_score for name, solution in solutions.items()}
    if np.isnan(scores[FIRST]):
        return FIRST, "no labels were held out to compare the methods by"
    right = {name: _is_right(problem, solution) for name, solution in solutions.items()}
    better = [name for name in right if _chance_of_lead(right[name], right[FIRST]) < SIGNIFICANCE]
    listed = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    listed = f"{problem.task.unit} on folds: {listed}"
    if not better:
        return FIRST, f"{listed}; none was better beyond chance"
    return max(better, key=scores.__getitem__), f"{listed}; better beyond chance"


def _is_right(problem: LearningProblem, solution: Solution) -> Bools:
    """Return which labels a method predicted that had not learned from them."""
    class_scores = problem.single_label.to_classes(torch.from_numpy(solution.held_out))
    right: Bools = class_scores.argmax(dim=1).numpy() == problem.y[problem.labelled]
    return right


def _reason_to_stop(problem: LearningProblem, spreading: Solution) -> str:
    if np.isnan(spreading.cv_score):
        return ""
    right = _is_right(problem, spreading)
    wrong = int((~right).sum())
    could_lead = _chance_of_lead(np.ones_like(right), right) < SIGNIFICANCE
    if could_lead or wrong > ROOM * len(right):
        return ""
    return (
        f"Label spreading was wrong on {wrong} of {len(right)} held-out labels: another method "
        "could not be better beyond chance, so none was trained."
    )


def _chance_of_lead(one: Bools, other: Bools) -> float:
    """Return the probability that ``one`` leads as much by chance (sign test)."""
    gains, losses = int((one & ~other).sum()), int((other & ~one).sum())
    if gains <= losses:
        return 1.0
    return float(binomtest(gains, gains + losses, alternative="greater").pvalue)


def _kept(solution: Solution, method: str, summary: list[str]) -> Solution:
    return replace(solution, method=method, summary=[*summary, *solution.summary])
