"""The automatic choice: quick methods first, longer ones where they could be better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import final

import numpy as np
import torch
from scipy.stats import binomtest
from torch import nn

from cuello import clock
from cuello.arrays import Bools
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution
from cuello.few_label.methods.label_spreading import LabelSpreading, PseudoLabels
from cuello.few_label.methods.mean_teacher import (
    MIN_STEPS,
    MeanTeacherMethod,
    teacher_steps,
)
from cuello.few_label.tasks import SingleLabel
from cuello.options import Option

__all__ = ["Auto"]

FEW_UNLABELLED = 0.5
"""Unlabelled samples for each labelled one, below which they are not worth a training."""
FEW_LABELS = 10
"""Labels a class on average, below which the network starts from the pseudo-labels of spreading."""
SIGNIFICANCE = 0.05
"""Probability below which a lead on held-out labels is not explained by chance."""
ROOM = 0.05
"""Share of wrong predictions above which another method is tried, even of few labels."""
MISTAKES = 100
"""Wrong predictions of samples without a label, about: so many are reason enough to go on."""
HOPELESS = 2.0
"""Errors of a linear probe for each of the best method: above, its encoder is not fine-tuned."""
TEACHER, SPREADING = MeanTeacherMethod.name, LabelSpreading.name
PROBE, TUNING = "linear_probe", "fine_tune_slow"


@final
class Auto(Method):
    """Tries quick methods, and those that take long where held-out labels leave room to be better.

    No other method is trained where the best one is wrong on so few held-out labels that being
    right on these, too, would be explained by chance, on no more than ``ROOM`` of them, and on
    fewer than ``MISTAKES`` samples without a label, if it errs there as often.
    A mean teacher is kept unless another method was right on so many more held-out labels that
    chance is no explanation: a handful of labels cannot tell the methods apart, and its networks
    that were evaluated had a small part of the training of the kept one. Without it the method that
    was right on most is kept.
    """

    name = "auto"
    display_name = "Auto"
    summary = (
        "Tries quick methods; where those leave room to be better, trains a mean teacher and "
        "fine-tunes the encoder. Keeps what held-out labels show to be best."
    )
    uses_unlabelled = True

    @property
    def options(self) -> Mapping[str, Option]:
        """Those of the methods that it may use."""
        tried = (method for method in METHODS.values() if method.tried_by_auto)
        return {name: option for method in tried for name, option in method.options.items()}

    def fit(self, problem: LearningProblem) -> Solution:
        """Try the methods that apply, and keep the best."""
        return _Race(problem).run()

    def check(self, problem: LearningProblem) -> None:
        """Refuse options of the methods that it may use."""
        for name in _applicable(problem):
            METHODS[name].check(problem)

    def build(self, problem: LearningProblem) -> nn.Module:
        """Refuse to be called: a solution names the method that made it."""
        raise AssertionError("a solution of 'auto' carries the name of another method")


METHODS.add(Auto.name, Auto())


def _applicable(problem: LearningProblem) -> Iterator[str]:
    """Yield the methods that may be chosen for a problem, quick ones first."""
    single = isinstance(problem.task, SingleLabel)
    for quick in (True, False):
        for name, method in METHODS.items():
            suits = single or not method.single_label_only
            suits = suits and (problem.x.ndim == 2 or not method.tables_only)
            if method.tried_by_auto and method.is_quick is quick and suits:
                yield name


class _Race:
    """Methods that are tried on one problem, and what each has reached."""

    def __init__(self, problem: LearningProblem) -> None:
        self.problem, self.began = problem, clock.now()
        self.solutions: dict[str, Solution] = {}
        self.pseudo_labels: PseudoLabels | None = None
        self.notes: list[str] = []
        single = isinstance(problem.task, SingleLabel)
        self.few = single and problem.labelled.sum() < FEW_LABELS * problem.single_label.classes
        y, cv = problem.y[problem.labelled], problem.options.cv
        self.compares = bool(cv and problem.task.folds(y, cv, problem.seed))
        self.preferred = self._prefer()

    def run(self) -> Solution:
        """Try methods, and return the solution of the one to keep."""
        for name in _applicable(self.problem):
            if reason := self._reason_to_leave_out(name):
                self.notes += [reason] if self.compares else []
                continue
            if name == SPREADING:
                self.solutions[name], self.pseudo_labels = LabelSpreading().solve(self.problem)
            elif name == TEACHER:
                start = self.pseudo_labels if self.few else None
                self.solutions[name] = MeanTeacherMethod().fit(self._shortened(), start)
            else:
                self.solutions[name] = METHODS[name].fit(self.problem)
        best, why = self._choose()
        solution = self.solutions[best]
        if best == TEACHER and self.few:
            self.notes.append("Labels are few, so it started from the pseudo-labels of spreading.")
        summary = [f"Of the methods {best} was kept: {why}.", *self.notes, *solution.summary]
        return replace(solution, method=best, summary=summary)

    def _prefer(self) -> str:
        """Return the method that is kept unless held-out labels show that another is better."""
        if not isinstance(self.problem.task, SingleLabel):
            return TUNING
        return TEACHER if self._unlabelled_tell() else SPREADING

    def _unlabelled_tell(self) -> bool:
        labelled = int(self.problem.labelled.sum())
        return len(self.problem.labelled) - labelled >= FEW_UNLABELLED * labelled

    def _reason_to_leave_out(self, name: str) -> str:
        """Return why a method is not tried; empty where it is."""
        without = f"Without {name}: "
        if not self.compares and name not in (self.preferred, SPREADING if self.few else ""):
            return f"{without}no labels were held out to compare it by."
        if name == TEACHER and not self._unlabelled_tell():
            return f"{without}too few samples have no label."
        if METHODS[name].is_quick:
            return ""
        if name == TUNING and self.preferred != TUNING and self.problem.x.ndim == 2:
            return f"{without}with few labels of a table it was no gain."
        if self.solutions and not self._has_time(name):
            return f"{without}no time was left."
        if not self.compares or not isinstance(self.problem.task, SingleLabel):
            return ""
        leader = max(self.solutions, key=lambda name: self.solutions[name].cv_score)
        right = self._is_right(leader)
        wrong, of = int((~right).sum()), f"of {len(right)} held-out labels"
        could_lead = _chance_of_lead(np.ones_like(right), right) < SIGNIFICANCE
        others = len(self.problem.labelled) - len(right)
        mistakes = others * (wrong + 1) / (len(right) + 2)  # the rule of succession
        few_wrong = wrong <= ROOM * len(right) and mistakes < MISTAKES
        if few_wrong and not could_lead and not self.few:
            return f"{without}{leader} was wrong on {wrong} {of}, no other could be surely better."
        by_probe = int((~self._is_right(PROBE)).sum())
        if name == TUNING and by_probe > HOPELESS * wrong:
            return f"{without}{PROBE} was wrong on {by_probe} {of}, {leader} on {wrong}."
        return ""

    def _choose(self) -> tuple[str, str]:
        """Return the method to keep, and why."""
        scores = {name: solution.cv_score for name, solution in self.solutions.items()}
        if not self.compares:
            kept = self.preferred if self.preferred in scores else SPREADING
            return kept, "no labels were held out to compare methods by"
        listed = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
        listed = f"{self.problem.task.unit} on folds: {listed}"
        best = max(scores, key=scores.__getitem__)
        if self.preferred != TEACHER or TEACHER not in scores:
            return best, listed
        first = self._is_right(TEACHER)
        better = [n for n in scores if _chance_of_lead(self._is_right(n), first) < SIGNIFICANCE]
        if not better:
            return TEACHER, f"{listed}; none was better beyond chance"
        return max(better, key=scores.__getitem__), f"{listed}; better beyond chance"

    def _is_right(self, name: str) -> Bools:
        """Return which labels a method predicted that had not learned from them."""
        held_out = torch.from_numpy(self.solutions[name].held_out)
        predicted = self.problem.single_label.to_classes(held_out).argmax(dim=1).numpy()
        right: Bools = predicted == self.problem.y[self.problem.labelled]
        return right

    def _has_time(self, name: str) -> bool:
        """Return whether half of the time is left, and for a mean teacher the fewest steps."""
        left, limit = self._left(), self.problem.options.max_time
        if left is None or limit is None:
            return True
        return left > 0.5 * limit and (name != TEACHER or self._affordable >= MIN_STEPS)

    def _left(self) -> float | None:
        limit = self.problem.options.max_time
        return None if limit is None else limit - (clock.now() - self.began)

    @cached_property
    def _affordable(self) -> int:
        # Timed once, as it takes some steps itself.
        return MeanTeacherMethod().affordable_steps(self.problem, self._left() or 0.0)

    def _shortened(self) -> LearningProblem:
        """Return the problem with as many steps of a mean teacher as there is time for."""
        if self._left() is None:
            return self.problem
        given = self.problem.options.method_options or {}
        steps = max(min(teacher_steps(self.problem), self._affordable), 1)
        self.notes.append(f"To keep the time, {TEACHER} took {steps} steps.")
        options = replace(self.problem.options, method_options={**given, "steps": steps})
        return replace(self.problem, options=options)


def _chance_of_lead(one: Bools, other: Bools) -> float:
    """Return the probability that either leads as much by chance (two-sided sign test)."""
    gains, losses = int((one & ~other).sum()), int((other & ~one).sum())
    if gains <= losses:
        return 1.0
    return float(binomtest(gains, gains + losses).pvalue)
