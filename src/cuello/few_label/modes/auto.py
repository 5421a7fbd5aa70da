"""What to do with few labels where nobody says: the mode that held-out labels speak for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, final

import numpy as np
from torch import nn

from cuello.few_label.base import MODES, Mode, Problem, Solution, register
from cuello.few_label.modes.consistency import Consistency
from cuello.few_label.modes.spread import Spread
from cuello.few_label.task import OneClass

__all__ = ["Auto"]

FEW_UNLABELLED = 0.5
"""Unlabelled rows for each labelled one, below which they are not worth a training of their own."""
FALLBACK = "slow"


@final
class Auto(Mode):
    """Spreads labels, trains a network for consistency from there, and fine-tunes the encoder.

    The one that was best on held-out labels is kept; consistency where it is as good, for the
    networks that were judged had a seventh of the training that the kept one has.
    """

    name = "auto"
    summary = "spread, then consistency; or fine-tuning, where held-out labels speak for that"
    uses_unlabelled = True
    options: ClassVar[Mapping[str, str]] = {**Consistency.options, **Spread.options}

    def fit(self, problem: Problem) -> Solution:
        """Try what applies, and keep the best."""
        unfit = _why_not(problem)
        if unfit:
            return _named(MODES[FALLBACK].fit(problem), FALLBACK, [unfit])
        spreading, guess = Spread().solve(problem)
        found = {
            "consistency": Consistency().train(problem, guess),
            "spread": spreading,
            FALLBACK: MODES[FALLBACK].fit(problem),
        }
        quality = {name: s.cv_scores.get(s.chosen, float("nan")) for name, s in found.items()}
        best = max(found, key=lambda name: np.nan_to_num(quality[name], nan=-np.inf))
        judged = ", ".join(f"{name} {value:.3f}" for name, value in quality.items())
        if np.isnan(quality[best]):
            best, judged = "consistency", "too few labels to compare the ways"
        said = f"Of the ways to use the labels {best} was kept ({problem.task.unit}: {judged})."
        return _named(found[best], best, [said])

    def check(self, problem: Problem) -> None:
        """Refuse options of the modes it may use."""
        if isinstance(problem.task, OneClass):
            Spread().check(problem)
            Consistency().check(problem)

    def build(self, problem: Problem) -> nn.Module:
        """Return nothing: a solution names the mode that made it."""
        raise AssertionError("a solution of 'auto' carries the name of another mode")


def _why_not(problem: Problem) -> str:
    unlabelled = int((~problem.labelled).sum())
    labelled = len(problem.labelled) - unlabelled
    if not isinstance(problem.task, OneClass):
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


def _named(solution: Solution, mode: str, said: list[str]) -> Solution:
    return replace(solution, mode=mode, said=[*said, *solution.said])


register(Auto())
