"""A student network and its average over training, the teacher, as the training loop wants them.

Sources: Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017; Sohn et al.,
"FixMatch", NeurIPS 2020 (confident pseudo-labels from weakly changed rows for strongly changed
ones); Berthelot et al., "ReMixMatch", ICLR 2020 (distribution alignment); Miyato et al., "Virtual
adversarial training", TPAMI 2018, for rows that nothing is known to leave what they are.

Shapes: B rows of a batch, L labelled rows of a step, n rows, ... the shape of one row, C outputs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello.data.augment import Augment
from cuello.data.neighbours import neighbours
from cuello.errors import InputError
from cuello.few_label.base import Problem
from cuello.few_label.students import is_image
from cuello.kinds import Batch, ParameterGroups

__all__ = ["MeanTeacher", "check_teaching", "strong_augmentation"]

LABELLED_ROWS = 64
"""Labelled rows in a step, drawn with replacement."""
DECAY = 0.995
"""Share of the teacher that stays at each step."""
SHARPENED = 2.0
"""Power to which the shares of classes are raised that the teacher is not sure of.

It moves what is near a border to one side of it. On held-out images of MNIST with 300 labels, two
draws, 2,600 steps, errors fell from 0.88 to 0.84 % and from 1.18 to 1.13 %.
"""
GUESSED = 0.3
"""Share of the training over which guessed labels fade."""
_PROBE = 1e-2
"""Length of the step along which the direction of greatest change is found, beside the radius."""


class MeanTeacher(nn.Module):
    """Trains the student; the teacher is what is kept.

    Parameters
    ----------
    problem : Problem
        With classes as its task.
    student : nn.Module
        To start from; a copy of it is trained.
    guesses : ndarray of shape (n, C) or None
        Shares of each class to start from.
    """

    labelled: Tensor
    labels: Tensor
    prior: Tensor
    said: Tensor
    guesses: Tensor | None
    progress = 1.0

    def __init__(
        self, problem: Problem, student: nn.Module, guesses: npt.NDArray[np.float64] | None = None
    ) -> None:
        super().__init__()
        rows, self.task = problem.rows(), problem.single_label
        assert rows.y is not None
        classes = self.task.classes
        self.student = copy.deepcopy(student)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.register_buffer("labelled", rows.x, persistent=False)
        self.register_buffer("labels", rows.y, persistent=False)
        # One label more a class than there are: with few of them a share is uncertain.
        counts = torch.bincount(rows.y, minlength=classes) + 1.0
        self.register_buffer("prior", counts / counts.sum())
        self.register_buffer("said", self.prior.clone())
        self.steps = 0  # on the host: a step waits for no device
        shares = None if guesses is None else torch.from_numpy(guesses).float()
        self.register_buffer("guesses", shares, persistent=False)
        self.threshold = _threshold(problem)
        self.weak, self.strong = _changes(problem)
        self.radius = 0.0 if is_image(problem) else _radius(problem)

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the losses of labelled rows, of those it is sure and unsure of, and of guesses."""
        assert batch.y is not None
        self._follow()
        drawn = torch.randint(len(self.labelled), (LABELLED_ROWS,), device=batch.x.device)
        with torch.no_grad():
            answers = self._told(self.weak(batch.x))
            aligned = self._align(answers.exp())
            sureness, told = aligned.max(dim=1)
            sharper = F.normalize(aligned**SHARPENED, p=1.0, dim=1)
        labelled, rows = self.labelled[drawn], self._perturbed(batch.x, answers)
        scores = self.student(self.strong(torch.cat([labelled, rows]))).float()
        few, changed = scores.split([LABELLED_ROWS, len(batch.x)])
        many = self.task.to_classes(changed)
        sure = (sureness >= self.threshold).float()
        terms = self.task.losses(few, self.labels[drawn])
        terms["sure"] = (F.cross_entropy(many, told, reduction="none") * sure).mean()
        off = F.cross_entropy(many, sharper, reduction="none")
        terms["unsure"] = (off * (1.0 - sure)).mean()
        if self.guesses is not None:
            shares, fading = self.guesses[batch.y], max(1.0 - self.progress / GUESSED, 0.0)
            off = F.cross_entropy(many, shares, reduction="none")
            terms["guessed"] = fading * (_certainty(shares) * off).mean()
        return terms

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the teacher's loss on held-out rows."""
        assert batch.y is not None
        return self.task.losses(self.teacher(batch.x), batch.y)

    def active_optimizers(self, progress: float) -> list[str]:
        """Return the one optimizer there is."""
        return ["student"]

    def optimizers(self) -> ParameterGroups:
        """Return the student's weights."""
        return {"student": [{"params": list(self.student.parameters())}]}

    def train(self, mode: bool = True) -> MeanTeacher:
        """Set the student to training; the teacher is never in it."""
        super().train(mode)
        self.teacher.eval()
        return self

    def finished(self) -> nn.Module:
        """Return the teacher after the last step."""
        self._follow()
        return self.teacher.eval()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the teacher towards the student; in the first steps by more, to forget the start."""
        rate = max(1.0 - DECAY, 9.0 / (10.0 + self.steps))
        self.steps += 1
        torch._foreach_lerp_(list(self.teacher.parameters()), list(self.student.parameters()), rate)
        for own, other in zip(self.teacher.buffers(), self.student.buffers(), strict=True):
            if own.is_floating_point():
                own.lerp_(other, rate)

    def _align(self, said: Tensor) -> Tensor:
        """Correct for classes that the teacher names more often than there are labels of them."""
        self.said.lerp_(said.mean(dim=0), 0.01)
        aligned = said * (self.prior / self.said)
        return aligned / aligned.sum(dim=1, keepdim=True)

    def _told(self, x: Tensor) -> Tensor:
        """Return the logarithm of the teacher's probability of each class."""
        return self.task.to_classes(self.teacher(x).float()).log_softmax(dim=1)

    def _perturbed(self, x: Tensor, told: Tensor) -> Tensor:
        """Return rows moved so far in the direction in which the teacher's answer changes most.

        ``told`` is that answer, (B, classes) logarithms; rows of tables reach the teacher as is.

        One power iteration finds it. It is the teacher's, in evaluation mode, so that what the
        student keeps of its batches is of rows as they are.
        """
        if not self.radius:
            return x
        probe = (_unit(torch.randn_like(x)) * _PROBE * self.radius).requires_grad_()
        with torch.enable_grad():
            moved = self._told(x + probe)
            apart = F.kl_div(moved, told, log_target=True, reduction="sum")
            (towards,) = torch.autograd.grad(apart, probe)
        return x + self.radius * _unit(towards)


def check_teaching(problem: Problem) -> None:
    """Refuse options of the teacher that are not allowed.

    Raises
    ------
    InputError
        If a value is outside its range.
    """
    _threshold(problem)
    _share(problem)
    _changes(problem)


def strong_augmentation(shape: tuple[int, ...]) -> Augment:
    """Return changes that leave an image what it is, by its size alone.

    Mild shift, turn, size and slant, a smooth displacement of up to 7 % of the shorter side, and
    brightness. Nothing is mirrored, covered or turned far: that would make other characters of
    characters.
    """
    return replace(Augment.mild(), elastic=0.07 * min(shape[-2:]), brightness=0.65)


def _changes(problem: Problem) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    asked = problem.options.augment or "none"
    weak = problem.option("weak", "none" if asked == "none" else "auto")
    strong = problem.option("strong", asked)
    if not is_image(problem):
        return _unchanged, _unchanged
    shape = tuple(problem.x.shape[1:])
    return (
        Augment(shift=0.05) if weak == "auto" else Augment.parse(weak),
        strong_augmentation(shape) if strong == "auto" else Augment.parse(strong),
    )


def _unchanged(x: Tensor) -> Tensor:
    return x


def _threshold(problem: Problem) -> float:
    threshold = problem.option("threshold", 0.95)
    if not isinstance(threshold, int | float) or not 0.0 < threshold < 1.0:
        raise InputError(f"threshold={threshold!r} must be a probability in (0, 1); 0.95 is usual.")
    return float(threshold)


def _radius(problem: Problem) -> float:
    """Return how far a row is moved: a share of the median distance to its nearest neighbour."""
    rows, share = torch.nan_to_num(problem.x.flatten(1)), _share(problem)
    if len(rows) < 2:
        return 0.0
    some = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:2000]
    _, squares = neighbours(rows[some], rows[some], 2)
    return float(share * np.median(np.sqrt(squares[:, 1])))


def _share(problem: Problem) -> float:
    share = problem.option("perturbation", 0.5)
    if not isinstance(share, int | float) or not 0.0 <= share < np.inf:
        raise InputError(f"perturbation={share!r} must be at least 0; 0 leaves it out.")
    return float(share)


def _certainty(shares: Tensor) -> Tensor:
    """Return 1 where one class has it all, 0 where all have as much: 1 less the entropy's share."""
    entropy = -(shares * shares.clamp(min=1e-12).log()).sum(dim=1)
    certainty: Tensor = 1.0 - entropy / math.log(shares.shape[1])
    return certainty


def _unit(rows: Tensor) -> Tensor:
    flat = rows.flatten(1)
    unit: Tensor = flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return unit.view_as(rows)
