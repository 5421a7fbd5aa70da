"""Contrastive pretraining of a student: two changes of an image are the same image.

Source: Chen et al., "A simple framework for contrastive learning of visual representations", ICML
2020, arXiv:2002.05709 (the loss, and a projection that is left out afterwards).

Shapes: B samples of a batch, F features, P = 64 numbers that are compared.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello.data.augment import Augment
from cuello.few_label.base import LearningProblem
from cuello.few_label.students import Student, training_config
from cuello.kinds import Batch, ParameterGroups
from cuello.train import Rows, train

__all__ = ["contrast_views", "pretrain"]

CONTRAST_BATCH = 128
"""Samples in a step, each of which is seen twice."""
CONTRAST_RATE = 2e-3
CONTRAST_TEMPERATURE = 0.3
"""By which cosines are divided: the lower, the more the nearest of the other samples count."""
_HIDDEN_UNITS, _PROJECTED = 128, 64


def pretrain(student: Student, problem: LearningProblem, steps: int, augment: Augment) -> None:
    """Train the body of a student, in place, on all images of a problem and no label.

    The head is left as it is; ``steps`` are made in whole passes, and ``augment`` makes two images
    of one.
    """
    config = training_config(problem, CONTRAST_BATCH, steps, "adamw", CONTRAST_RATE, warm_up=0.05)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        contrast = _Contrast(student.body, student.head.in_features, augment)
    train(contrast, Rows(problem.x), config, callbacks=problem.callbacks)
    student.to("cpu").eval()


def contrast_views(shape: tuple[int, ...]) -> Augment:
    """Return the augmentation under which images of a size are still recognised as the same one.

    It goes further than :func:`~cuello.few_label.teacher.strong_augmentation`: no class depends on
    it, and pairs that are recognised too easily teach little.
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
    """Return the normalised temperature-scaled cross-entropy of (2B, P) projections.

    Samples i and B + i are of one image: cross-entropy of that pair among all 2B - 1, by cosine.
    """
    unit = F.normalize(projected.float(), dim=1)
    cosines = (unit @ unit.T) / CONTRAST_TEMPERATURE
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    others = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return F.cross_entropy(cosines.masked_fill(itself, float("-inf")), others)


class _Contrast(nn.Module):
    """A body and the projection behind it, as the training loop expects them."""

    progress = 1.0

    def __init__(self, body: nn.Module, features: int, augment: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.augment = body, augment
        self.projection = nn.Sequential(
            nn.Linear(features, _HIDDEN_UNITS),
            nn.BatchNorm1d(_HIDDEN_UNITS),
            nn.ReLU(),
            nn.Linear(_HIDDEN_UNITS, _PROJECTED),
        )

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the loss of two changes of each sample."""
        views = torch.cat([self.augment(batch.x), self.augment(batch.x)])
        return {"contrast": _similarity_loss(self.projection(self.body(views)))}

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the same of held-out samples."""
        return self.losses(batch, "body")

    def active_optimizers(self, progress: float) -> list[str]:
        """Return the one optimizer."""
        return ["body"]

    def optimizers(self) -> ParameterGroups:
        """Return all weights."""
        return {"body": [{"params": list(self.parameters())}]}
