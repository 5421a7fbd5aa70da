"""What a student learns before any label: two changes of an image are the same image.

Source: Chen et al., "A simple framework for contrastive learning of visual representations", ICML
2020, arXiv:2002.05709 (the loss, and a projection that is left out afterwards).

Shapes: B rows of a batch, F features, P = 64 numbers that are compared.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello.data.augment import Augment
from cuello.few_label.base import Problem
from cuello.few_label.students import Student, training_of
from cuello.kinds import Batch, ParameterGroups
from cuello.train import Rows, train

__all__ = ["contrast_views", "pretrain"]

ROWS = 128
"""Rows in a step, each of which is seen twice."""
LEARNING_RATE = 2e-3
TEMPERATURE = 0.3
"""By which cosines are divided: the lower, the more the nearest of the other rows count."""
_HIDDEN, _COMPARED = 128, 64


def pretrain(student: Student, problem: Problem, steps: int, change: Augment) -> None:
    """Train the body of a student, in place, on all rows and no label.

    Parameters
    ----------
    student : Student
        Its head stays what it is.
    problem : Problem
        Images.
    steps : int
        About so many; whole passes are made.
    change : Augment
        What makes two images of one.
    """
    config = training_of(problem, ROWS, steps, "adamw", LEARNING_RATE, warm_up=0.05)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        contrast = _Contrast(student.body, student.head.in_features, change)
    train(contrast, Rows(problem.x), config, callbacks=problem.callbacks)
    student.to("cpu").eval()


def contrast_views(shape: tuple[int, ...]) -> Augment:
    """Return changes under which images of a size are still to be told as the same one.

    They go further than those of :func:`~cuello.few_label.teacher.strong_augmentation`: here
    nothing is said about classes, and what is alike too easily teaches little.
    """
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
    """Return how far rows (2B, P) are from being told by their other half among all rows.

    Rows i and B + i are of one image: cross-entropy of that pair among the 2B - 1 there are,
    by cosine.
    """
    unit = F.normalize(projected.float(), dim=1)
    cosines = (unit @ unit.T) / TEMPERATURE
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    others = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return F.cross_entropy(cosines.masked_fill(itself, float("-inf")), others)


class _Contrast(nn.Module):
    """A body and the projection behind it, as the training loop wants them."""

    progress = 1.0

    def __init__(self, body: nn.Module, features: int, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.change = body, change
        self.projection = nn.Sequential(
            nn.Linear(features, _HIDDEN),
            nn.BatchNorm1d(_HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, _COMPARED),
        )

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the loss of two changes of each row."""
        views = torch.cat([self.change(batch.x), self.change(batch.x)])
        return {"contrast": _similarity_loss(self.projection(self.body(views)))}

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the same of held-out rows."""
        return self.losses(batch, "body")

    def active_optimizers(self, progress: float) -> list[str]:
        """Return the one optimizer there is."""
        return ["body"]

    def optimizers(self) -> ParameterGroups:
        """Return all weights."""
        return {"body": [{"params": list(self.parameters())}]}
