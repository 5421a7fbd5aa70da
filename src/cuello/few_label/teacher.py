"""A student network and its average over training, the teacher.

Sources: Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017; Sohn et al.,
"FixMatch", NeurIPS 2020 (confident pseudo-labels of weakly augmented samples for strongly augmented
ones); Berthelot et al., "ReMixMatch", ICLR 2020 (distribution alignment); Miyato et al., "Virtual
adversarial training", TPAMI 2018, for samples of which no augmentation is known.

Shapes: B samples of a batch, n samples, ... the shape of a sample, C outputs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello.arrays import Floats
from cuello.data.augment import Augment
from cuello.data.neighbours import nearest_others
from cuello.few_label.base import LearningProblem
from cuello.few_label.students import MeanTeacherOptions, SingleOptimizer
from cuello.kinds import Batch, ParameterGroups

__all__ = ["MeanTeacher", "augmentations", "strong_augmentation"]

LABELLED_BATCH = 64
"""Labelled samples in a step, drawn with replacement."""
TEACHER_DECAY = 0.995
"""Share of the teacher that stays at each step."""
SHARPENING = 2.0
"""Power of class probabilities where the teacher is not confident: they leave the border."""
PSEUDO_LABEL_SHARE = 0.3
"""Share of the training over which pseudo-labels fade."""
_PROBE = 1e-2
"""Share of the radius: the step along which the direction of greatest change is computed."""


class MeanTeacher(SingleOptimizer):
    """Trains a copy of a student and keeps the teacher; pseudo-labels (n, C) are class shares."""

    labelled: Tensor
    labels: Tensor
    prior: Tensor
    mean_prediction: Tensor
    pseudo_labels: Tensor | None

    def __init__(
        self, problem: LearningProblem, student: nn.Module, pseudo_labels: Floats | None = None
    ) -> None:
        super().__init__()
        self.task, (labelled, labels) = problem.single_label, problem.labelled_samples()
        classes, options = self.task.classes, problem.method_options(MeanTeacherOptions)
        self.student = copy.deepcopy(student)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.register_buffer("labelled", labelled, persistent=False)
        self.register_buffer("labels", labels, persistent=False)
        # One label more a class than there are: with few of them a share is uncertain.
        counts = torch.bincount(labels, minlength=classes) + 1.0
        self.register_buffer("prior", counts / counts.sum())
        self.register_buffer("mean_prediction", self.prior.clone())
        self.steps = 0  # on the host: a step waits for no device
        shares = None if pseudo_labels is None else torch.from_numpy(pseudo_labels).float()
        self.register_buffer("pseudo_labels", shares, persistent=False)
        self.threshold = options.threshold
        self.weak, self.strong = augmentations(problem)
        self.radius = 0.0 if problem.is_image else _radius(problem.x, options.perturbation)

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the losses of labels, of confident and other predictions, and of pseudo-labels."""
        assert batch.y is not None
        self._average_weights()
        drawn = torch.randint(len(self.labelled), (LABELLED_BATCH,), device=batch.x.device)
        with torch.no_grad():
            log_p = self._log_probabilities(self.weak(batch.x))
            aligned = self._align(log_p.exp())
            confidence, predicted = aligned.max(dim=1)
            sharpened = F.normalize(aligned**SHARPENING, p=1.0, dim=1)
        labelled, others = self.labelled[drawn], self._perturbed(batch.x, log_p)
        scores = self.student(self.strong(torch.cat([labelled, others]))).float()
        labelled_scores, scores = scores.split([LABELLED_BATCH, len(batch.x)])
        scores = self.task.to_classes(scores)
        confident = (confidence >= self.threshold).float()
        terms = self.task.losses(labelled_scores, self.labels[drawn])
        off = F.cross_entropy(scores, predicted, reduction="none")
        terms["confident"] = (off * confident).mean()
        off = F.cross_entropy(scores, sharpened, reduction="none")
        terms["unconfident"] = (off * (1.0 - confident)).mean()
        if self.pseudo_labels is not None:
            shares = self.pseudo_labels[batch.y]
            fading = max(1.0 - self.progress / PSEUDO_LABEL_SHARE, 0.0)
            off = F.cross_entropy(scores, shares, reduction="none")
            # 1 where one class has all shares, 0 where they are even: 1 less the relative entropy.
            entropy = -(shares * shares.clamp(min=1e-12).log()).sum(dim=1)
            certainty = 1.0 - entropy / math.log(shares.shape[1])
            terms["pseudo_labels"] = fading * (certainty * off).mean()
        return terms

    def optimizers(self) -> ParameterGroups:
        """Return the student's weights."""
        return {"student": [{"params": list(self.student.parameters())}]}

    def train(self, mode: bool = True) -> MeanTeacher:
        """Set the student to training; the teacher is never in it."""
        super().train(mode)
        self.teacher.eval()
        return self

    def trained_teacher(self) -> nn.Module:
        """Return the teacher after the last step."""
        self._average_weights()
        return self.teacher.eval()

    @torch.no_grad()
    def _average_weights(self) -> None:
        """Move the teacher towards the student; in the first steps by more, to forget the start."""
        rate = max(1.0 - TEACHER_DECAY, 9.0 / (10.0 + self.steps))
        self.steps += 1
        torch._foreach_lerp_(list(self.teacher.parameters()), list(self.student.parameters()), rate)
        for average, new in zip(self.teacher.buffers(), self.student.buffers(), strict=True):
            if average.is_floating_point():
                average.lerp_(new, rate)

    def _align(self, p: Tensor) -> Tensor:
        """Correct for classes that the teacher predicts more often than their labels occur."""
        self.mean_prediction.lerp_(p.mean(dim=0), 0.01)
        aligned = p * (self.prior / self.mean_prediction)
        return aligned / aligned.sum(dim=1, keepdim=True)

    def _log_probabilities(self, x: Tensor) -> Tensor:
        """Return the logarithm of the teacher's probability of each class."""
        return self.task.to_classes(self.teacher(x).float()).log_softmax(dim=1)

    def _perturbed(self, x: Tensor, log_p: Tensor) -> Tensor:
        """Return samples moved in the direction in which the teacher's answer changes most.

        ``log_p`` is that answer, (B, classes) logarithms; one power iteration gives the direction.
        """
        if not self.radius:
            return x
        # The teacher's direction, in evaluation mode, so that batch statistics of the student are
        # those of samples as they are.
        probe = (_unit(torch.randn_like(x)) * _PROBE * self.radius).requires_grad_()
        with torch.enable_grad():
            moved = self._log_probabilities(x + probe)
            divergence = F.kl_div(moved, log_p, log_target=True, reduction="sum")
            (direction,) = torch.autograd.grad(divergence, probe)
        return x + self.radius * _unit(direction)


def strong_augmentation(shape: tuple[int, ...]) -> Augment:
    """Return augmentation that leaves the class of an image, by its size alone."""
    # Nothing is mirrored, covered or turned far: that would make other characters of characters.
    return replace(Augment.mild(), elastic=0.07 * min(shape[-2:]), brightness=0.65)


def augmentations(
    problem: LearningProblem,
) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Return the weak and the strong augmentation, for the teacher and for the student."""
    options, default = problem.method_options(MeanTeacherOptions), problem.options.augment or "none"
    weak = options.weak or ("none" if default == "none" else "auto")
    strong = options.strong or default
    if not problem.is_image:
        return nn.Identity(), nn.Identity()
    shape = tuple(problem.x.shape[1:])
    return (
        Augment(shift=0.05) if weak == "auto" else Augment.parse(weak),
        strong_augmentation(shape) if strong == "auto" else Augment.parse(strong),
    )


def _radius(x: Tensor, share: float) -> float:
    """Return a share of the median distance of samples to their nearest neighbours."""
    flat = torch.nan_to_num(x.flatten(1))
    if len(flat) < 2:
        return 0.0
    some = torch.randperm(len(flat), generator=torch.Generator().manual_seed(0))[:2000]
    _, squares = nearest_others(flat[some], 1)
    return float(share * np.median(np.sqrt(squares[:, 0])))


def _unit(x: Tensor) -> Tensor:
    flat = x.flatten(1)
    unit: Tensor = flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return unit.view_as(x)
