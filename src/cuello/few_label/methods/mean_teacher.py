"""Mean teacher: a student keeps its predictions, however a sample is changed, by its average.

Before any label it learns that two changes of an image are the same image, after Chen et al., "A
simple framework for contrastive learning of visual representations", ICML 2020, arXiv:2002.05709
(the loss, and a projection that is left out afterwards).

Shapes: B samples of a batch, F features, P = 64 numbers that are compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello import clock
from cuello.data.augment import Augment
from cuello.errors import InputError, Use
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution
from cuello.few_label.cross_validation import FOLD_SHARE, train_long
from cuello.few_label.methods.label_spreading import PseudoLabels
from cuello.few_label.students import (
    STUDENTS,
    MeanTeacherOptions,
    SingleOptimizer,
    Student,
    build_student,
    student_name,
    training_config,
)
from cuello.few_label.teacher import MeanTeacher, augmentations
from cuello.kinds import Batch
from cuello.networks import multiplications
from cuello.seeding import seeded
from cuello.train import Rows, train

__all__ = ["MIN_STEPS", "MeanTeacherMethod", "teacher_steps"]

BATCH = 192
"""Samples without a label in a step."""
PASSES, MIN_STEPS, MAX_STEPS = 100, 1000, 20_000
PRETRAINING_SHARE = 0.5
"""Steps of pretraining, as a share of those with labels."""
MIN_FOLD_STEPS = 500
PRETRAINED_FOLD_STEPS = 200  # of a network that starts from pretraining, which folds share
_TIMED_STEPS = 4  # by which the time of a step is estimated
CONTRAST_BATCH = 128
"""Samples in a step, each of which is seen twice."""
CONTRAST_RATE = 2e-3
CONTRAST_TEMPERATURE = 0.3
"""By which cosines are divided: the lower, the more the nearest of the other samples count."""


@final
class MeanTeacherMethod(Method):
    """A student learns what its own average, the teacher, is confident of."""

    name = "mean_teacher"
    display_name = "Mean teacher"
    summary = (
        "A new network learns to keep its predictions when samples are changed, from its own "
        "average over training."
    )
    options_class = MeanTeacherOptions
    pretrained = False
    uses_unlabelled = True
    single_label_only = True
    tried_by_auto = True

    def fit(self, problem: LearningProblem, pseudo_labels: PseudoLabels | None = None) -> Solution:
        """Train, at first also on the pseudo-labels that follow from the labels of a problem."""
        steps, network = teacher_steps(problem), student_name(problem)
        start, pretrained = build_student(problem), _is_pretrained(problem)
        if pretrained:
            views = contrast_views(tuple(problem.x.shape[1:]))
            pretrain(start, problem, round(PRETRAINING_SHARE * steps), views)
        solution = train_long(
            problem,
            STUDENTS[network].learning_rate,
            lambda part, rate, steps: _train_teacher(part, rate, steps, pseudo_labels, start),
            length=steps,
            shortest=PRETRAINED_FOLD_STEPS if pretrained else MIN_FOLD_STEPS,
            trained=f"Network {network}, about {steps} steps",
        )
        if not pretrained:
            return solution
        share = f"in {PRETRAINING_SHARE:.0%} as many steps"
        last = f"Before any label the network learned to tell images apart, {share}."
        return replace(solution, summary=[*solution.summary, last])

    def check(self, problem: LearningProblem) -> None:
        """Refuse options that are not allowed, and a student that cannot take such samples."""
        super().check(problem)
        build_student(problem)
        _is_pretrained(problem)
        augmentations(problem)

    def build(self, problem: LearningProblem) -> nn.Module:
        """Return the student, newly initialised."""
        return build_student(problem)

    def affordable_steps(self, problem: LearningProblem, seconds: float) -> int:
        """Return how many steps, with those before and of the folds, fit into some seconds."""
        some = np.flatnonzero(~problem.labelled)[: _TIMED_STEPS * BATCH]
        small = problem.subset(np.concatenate([np.flatnonzero(problem.labelled), some]))
        small = replace(small, callbacks=None)
        rate, start = STUDENTS[student_name(problem)].learning_rate, build_student(problem)
        began = clock.now()
        _train_teacher(small, rate, _TIMED_STEPS, None, start)
        paid = seconds * _TIMED_STEPS / max(clock.now() - began, 1e-9)
        pretrained, folds = _is_pretrained(problem), problem.options.cv
        before = 1.0 + PRETRAINING_SHARE * pretrained
        shortest = PRETRAINED_FOLD_STEPS if pretrained else MIN_FOLD_STEPS
        long, brief = paid / (before + FOLD_SHARE * folds), paid - shortest * folds
        return max(int(min(long, brief / before)), 0)


METHODS.add(MeanTeacherMethod.name, MeanTeacherMethod())


def _is_pretrained(problem: LearningProblem) -> bool:
    pretraining = problem.method_options(MeanTeacherOptions).pretraining
    if pretraining == "contrast" and not problem.is_image:
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
    config = training_config(problem, BATCH, steps, rate, optimizer=optimizer, warm_up=0.02)
    train(pair, Rows(problem.x, torch.arange(len(problem.x))), config, callbacks=problem.callbacks)
    return pair.trained_teacher()


def teacher_steps(problem: LearningProblem) -> int:
    """Return how many steps the kept network is trained."""
    steps = problem.method_options(MeanTeacherOptions).steps
    if not isinstance(steps, str):
        return int(steps)
    passes = PASSES * math.ceil(len(problem.x) / BATCH)
    affordable = STUDENTS[student_name(problem)].work / multiplications(build_student(problem))
    return max(round(min(passes, affordable, MAX_STEPS)), MIN_STEPS)


def pretrain(student: Student, problem: LearningProblem, steps: int, augment: Augment) -> None:
    """Train the body of a student in place, on all images of a problem and no label."""
    config = training_config(
        problem, CONTRAST_BATCH, steps, CONTRAST_RATE, optimizer="adamw", warm_up=0.05
    )
    with seeded(problem.seed):
        contrast = _Contrast(student.body, student.head.in_features, augment)
    train(contrast, Rows(problem.x), config, callbacks=problem.callbacks)
    student.to("cpu").eval()


def contrast_views(shape: tuple[int, ...]) -> Augment:
    """Return the augmentation under which images of a size are still recognised as the same one."""
    # More than for a teacher: no class depends on it, and pairs that are easily recognised teach
    # little.
    return Augment(
        shift=0.15,
        rotate=10,
        scale=0.3,
        shear=8,
        elastic=0.05 * min(shape[-2:]),
        cutout=0.4,
        brightness=0.65,
    )


def _similarity_loss(projected: Tensor) -> Tensor:
    """Return the cross-entropy of finding the other view, i or B + i, among (2B, P) projections."""
    unit = F.normalize(projected.float(), dim=1)
    cosines = (unit @ unit.T) / CONTRAST_TEMPERATURE
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    others = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return F.cross_entropy(cosines.masked_fill(itself, float("-inf")), others)


class _Contrast(SingleOptimizer):
    """A body and the projection behind it."""

    def __init__(self, body: nn.Module, features: int, augment: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.augment = body, augment
        self.projection = nn.Sequential(
            nn.Linear(features, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 64)
        )

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        views = torch.cat([self.augment(batch.x), self.augment(batch.x)])
        return {"contrast": _similarity_loss(self.projection(self.body(views)))}
