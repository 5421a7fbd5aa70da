"""Consistency: rows without a label are to keep, however they are changed, what a teacher says.

Shapes: B rows of a batch, n rows, ... the shape of one row, C outputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import nn

from cuello.errors import InputError, unknown
from cuello.few_label.base import Method, Problem, Solution, register
from cuello.few_label.choosing import choose
from cuello.few_label.methods.label_spreading import Guess
from cuello.few_label.pretraining import contrast_views, pretrain
from cuello.few_label.students import (
    STUDENTS,
    Student,
    build_student,
    is_image,
    student_name,
    training_of,
)
from cuello.few_label.teacher import MeanTeacher, check_teaching
from cuello.networks import multiplications
from cuello.train import Rows, train

__all__ = ["Consistency"]

UNLABELLED_ROWS = 192
"""Rows without a label in a step."""
PASSES, FEWEST_STEPS, MOST_STEPS = 100, 1000, 20_000
PRETRAININGS = ("auto", "contrast", "none")
PRETRAINING_SHARE = 0.5
"""Steps before any label, as a share of those with labels."""
FOLD_SHARE, FEWEST_FOLD_STEPS = 0.1, 500
"""Steps of a training that is only to be judged on held-out labels, as a share of the whole one."""


@final
class Consistency(Method):
    """A student learns what its own average, the teacher, is sure of."""

    name = "mean_teacher"
    summary = (
        "a new network keeps, when rows are changed, what its average over training is sure of"
    )
    pretrained = False
    uses_unlabelled = True
    single_label_only = True
    options: ClassVar[Mapping[str, str]] = {
        "network": f"the student: auto (conv for images), {', '.join(STUDENTS)}",
        "pretraining": "of the student, without labels: contrast (two changes of an image are "
        "told from those of others), none; auto: contrast for conv",
        "steps": f"of training; auto: {PASSES} passes, but {FEWEST_STEPS:,} to {MOST_STEPS:,} "
        "steps, the fewer the larger the student",
        "threshold": "probability from which the teacher is sure, in (0, 1); 0.95",
        "weak": "augmentation of images for the teacher; auto: shift=0.05",
        "strong": "augmentation of images for the student; auto: augment, or mild and elastic",
        "perturbation": "of table rows, in distances to the nearest neighbour; 0.5",
    }

    def fit(self, problem: Problem) -> Solution:
        """Train with all labels; and, shorter, without those of each fold."""
        return self.train(problem, guess=None)

    def train(self, problem: Problem, guess: Guess | None) -> Solution:
        """Train, at first on what ``guess`` makes of the labels it is given as well."""
        steps, recipe = _steps(problem), STUDENTS[student_name(problem)]
        start = _start(problem, steps)
        fold_steps = min(max(round(FOLD_SHARE * steps), FEWEST_FOLD_STEPS), steps)

        def fit(part: Problem, rate: float) -> nn.Module:
            if part is problem:
                return _train(part, rate, steps, guess, start)
            return _train(replace(part, callbacks=None), rate, fold_steps, guess, start)

        solution = choose(problem, (recipe.learning_rate,), fit, what="Learning rate")
        trained = f"Network {student_name(problem)}, about {steps} steps"
        if problem.options.cv:
            trained += (
                f", and {fold_steps} for each fold: what is measured there is a cautious estimate"
            )
        said = [f"{trained}.", *solution.said]
        if _contrasts(problem):
            share = f"in {PRETRAINING_SHARE:.0%} as many steps"
            said.append(f"Before any label the network learned to tell images apart, {share}.")
        return replace(solution, said=said)

    def check(self, problem: Problem) -> None:
        """Refuse options that are not allowed, and a student that cannot take such rows."""
        build_student(problem)
        _steps(problem)
        _contrasts(problem)
        check_teaching(problem)

    def build(self, problem: Problem) -> nn.Module:
        """Return the student, newly initialised."""
        return build_student(problem)


def _start(problem: Problem, steps: int) -> Student:
    """Return the student before it sees a label: the same for all folds."""
    student = build_student(problem)
    if _contrasts(problem):
        views = contrast_views(tuple(problem.x.shape[1:]))
        pretrain(student, problem, round(PRETRAINING_SHARE * steps), views)
    return student


def _contrasts(problem: Problem) -> bool:
    pretraining = problem.option("pretraining", "auto")
    if pretraining not in PRETRAININGS:
        raise unknown("pretraining", str(pretraining), PRETRAININGS)
    if pretraining == "contrast" and not is_image(problem):
        raise InputError(
            "pretraining='contrast' needs images, which can be changed and stay what they are; "
            f"rows have shape {tuple(problem.x.shape[1:])}: leave it at 'auto'."
        )
    changed = problem.options.augment not in (None, "none")
    return pretraining == "contrast" or (
        pretraining == "auto" and student_name(problem) == "conv" and changed
    )


def _train(
    problem: Problem, rate: float, steps: int, guess: Guess | None, start: Student
) -> nn.Module:
    pair = MeanTeacher(problem, start, None if guess is None else guess(problem))
    optimizer = STUDENTS[student_name(problem)].optimizer
    config = training_of(problem, UNLABELLED_ROWS, steps, optimizer, rate, warm_up=0.02)
    train(pair, Rows(problem.x, torch.arange(len(problem.x))), config, callbacks=problem.callbacks)
    return pair.finished()


def _steps(problem: Problem) -> int:
    steps: Any = problem.option("steps", "auto")
    if steps == "auto":
        passes = PASSES * math.ceil(len(problem.x) / UNLABELLED_ROWS)
        worth = STUDENTS[student_name(problem)].work / multiplications(build_student(problem))
        return max(round(min(passes, worth, MOST_STEPS)), FEWEST_STEPS)
    if not isinstance(steps, int | np.integer) or steps < 1:
        raise InputError(f"steps={steps!r} must be a whole number from 1 on, or 'auto'.")
    return int(steps)


register(Consistency())
