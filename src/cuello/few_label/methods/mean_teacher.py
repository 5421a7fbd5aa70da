"""Mean teacher: a student keeps its predictions, however a sample is changed, by its own average.

Shapes: B samples of a batch, n samples, ... the shape of a sample, C outputs.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import final

import torch
from torch import nn

from cuello.errors import InputError, Use
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution
from cuello.few_label.cross_validation import FOLD_SHARE, select
from cuello.few_label.methods.label_spreading import PseudoLabels
from cuello.few_label.pretraining import contrast_views, pretrain
from cuello.few_label.students import (
    STUDENTS,
    MeanTeacherOptions,
    Student,
    build_student,
    is_image,
    student_name,
    training_config,
)
from cuello.few_label.teacher import MeanTeacher, augmentations
from cuello.networks import multiplications
from cuello.train import Rows, train

__all__ = ["MeanTeacherMethod"]

BATCH = 192
"""Samples without a label in a step."""
PASSES, MIN_STEPS, MAX_STEPS = 100, 1000, 20_000
PRETRAINING_SHARE = 0.5
"""Steps of pretraining, as a share of those with labels."""
MIN_FOLD_STEPS = 500


@final
class MeanTeacherMethod(Method):
    """A student learns what its own average, the teacher, is confident of."""

    name = "mean_teacher"
    display_name = "Mean teacher"
    summary = (
        "A new network learns to keep its predictions when samples are changed, from its own "
        "average over training."
    )
    own_options = MeanTeacherOptions
    pretrained = False
    uses_unlabelled = True
    single_label_only = True

    def fit(self, problem: LearningProblem) -> Solution:
        """Train with all labels; and, shorter, without those of each fold."""
        return self.train(problem, pseudo_labels=None)

    def train(self, problem: LearningProblem, pseudo_labels: PseudoLabels | None) -> Solution:
        """Train, at first also on the pseudo-labels that follow from the labels of a problem."""
        steps, recipe = _steps(problem), STUDENTS[student_name(problem)]
        start = _start(problem, steps)
        fold_steps = min(max(round(FOLD_SHARE * steps), MIN_FOLD_STEPS), steps)

        def fit(part: LearningProblem, rate: float) -> nn.Module:
            if part is problem:
                return _train_teacher(part, rate, steps, pseudo_labels, start)
            part = replace(part, callbacks=None)
            return _train_teacher(part, rate, fold_steps, pseudo_labels, start)

        solution = select(problem, (recipe.learning_rate,), fit, title="Learning rate")
        trained = f"Network {student_name(problem)}, about {steps} steps"
        if problem.options.cv:
            trained += f", and {fold_steps} for each fold: the estimates from folds are cautious"
        summary = [f"{trained}.", *solution.summary]
        if _is_pretrained(problem):
            share = f"in {PRETRAINING_SHARE:.0%} as many steps"
            summary.append(f"Before any label the network learned to tell images apart, {share}.")
        return replace(solution, summary=summary)

    def check(self, problem: LearningProblem) -> None:
        """Refuse options that are not allowed, and a student that cannot take such samples."""
        super().check(problem)
        build_student(problem)
        _is_pretrained(problem)
        augmentations(problem)

    def build(self, problem: LearningProblem) -> nn.Module:
        """Return the student, newly initialised."""
        return build_student(problem)


METHODS.add(MeanTeacherMethod.name, MeanTeacherMethod())


def _start(problem: LearningProblem, steps: int) -> Student:
    """Return the student before it sees a label: the same for all folds."""
    student = build_student(problem)
    if _is_pretrained(problem):
        views = contrast_views(tuple(problem.x.shape[1:]))
        pretrain(student, problem, round(PRETRAINING_SHARE * steps), views)
    return student


def _is_pretrained(problem: LearningProblem) -> bool:
    pretraining = problem.method_options(MeanTeacherOptions).pretraining
    if pretraining == "contrast" and not is_image(problem):
        raise InputError(
            "needs images, whose class stays when they are changed; samples have shape "
            f"{tuple(problem.x.shape[1:])}",
            argument="pretraining",
            value=pretraining,
            remedy=Use("pretraining", "auto"),
        )
    augmented = problem.options.augment not in (None, "none")
    return pretraining == "contrast" or (
        pretraining == "auto" and student_name(problem) == "conv" and augmented
    )


def _train_teacher(
    problem: LearningProblem,
    rate: float,
    steps: int,
    pseudo_labels: PseudoLabels | None,
    start: Student,
) -> nn.Module:
    shares = None if pseudo_labels is None else pseudo_labels(problem)
    pair = MeanTeacher(problem, start, shares)
    optimizer = STUDENTS[student_name(problem)].optimizer
    config = training_config(problem, BATCH, steps, optimizer, rate, warm_up=0.02)
    train(pair, Rows(problem.x, torch.arange(len(problem.x))), config, callbacks=problem.callbacks)
    return pair.trained_teacher()


def _steps(problem: LearningProblem) -> int:
    steps = problem.method_options(MeanTeacherOptions).steps
    if not isinstance(steps, str):
        return int(steps)
    passes = PASSES * math.ceil(len(problem.x) / BATCH)
    affordable = STUDENTS[student_name(problem)].work / multiplications(build_student(problem))
    return max(round(min(passes, affordable, MAX_STEPS)), MIN_STEPS)
