"""Networks that classify samples directly, for methods that train a new one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor, nn

from cuello.errors import InputError, Use
from cuello.few_label.base import LearningProblem
from cuello.few_label.options import AUTO, MethodOptions
from cuello.kinds import Batch, ParameterGroups
from cuello.networks import conv, dense, note_uses
from cuello.options import Range
from cuello.seeding import seeded
from cuello.train import TrainingConfig

__all__ = [
    "STUDENTS",
    "MeanTeacherOptions",
    "SingleOptimizer",
    "Student",
    "build_student",
    "student_name",
    "training_config",
]

_CONV_FEATURES = 256
"""Units of the layer before the scores of a convolutional student."""
_CHANNELS = 64
"""Of the last stage of a convolutional student; each stage before has half as many, 16 at least."""
_SIDE = 7
"""Pixels to which convolutions reduce the shorter side, about."""
_ADAMW_RATE = 4e-3


class SingleOptimizer(nn.Module, ABC):
    """A network as the training loop expects it, all of whose weights one optimizer moves."""

    progress = 1.0

    @abstractmethod
    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the losses of a batch."""

    def optimizers(self) -> ParameterGroups:
        """Return the weights that are trained, under the name of the optimizer."""
        return {"network": [{"params": list(self.parameters())}]}

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of held-out samples."""
        return self.losses(batch, "")

    def active_optimizers(self, progress: float) -> list[str]:
        """Return the one optimizer."""
        return list(self.optimizers())


class _Standardize(nn.Module):
    """Samples less their mean, over their deviation: one number each for all pixels or columns.

    NaN after the end of a short sequence becomes 0; samples are empty for a stored network.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, samples: Tensor) -> None:
        super().__init__()
        values = samples[:10_000]
        values = values[values.isfinite()]
        some = values.numel() > 1
        self.register_buffer("mean", values.mean() if some else torch.zeros(()))
        self.register_buffer("deviation", values.std().clamp(min=1e-6) if some else torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.nan_to_num((x - self.mean) / self.deviation)


class Student(nn.Module):
    """Samples (B, ...) to scores (B, outputs), by features that can be learned without labels."""

    def __init__(self, x: Tensor, encoder: nn.Module, features: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_Standardize(x), encoder, nn.BatchNorm1d(features), nn.ReLU())
        self.head = nn.Linear(features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (B, outputs)."""
        scores: Tensor = self.head(self.body(x))
        return scores


def _convolutions(shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    if len(shape) not in (2, 3):
        raise InputError(
            f"cannot take samples of shape {shape}",
            argument="network",
            value="conv",
            remedy=Use("method_options", {"network": "dense"}),
        )
    stages = min(max(round(math.log2(min(shape[-2:]) / _SIDE)), 2), 4)
    # As many in the last stage for every size of image: a step takes about as long for all.
    channels = [max(_CHANNELS >> (stages - stage), 16) for stage in range(1, stages + 1)]
    width = _CONV_FEATURES
    encoder, _ = conv.build_conv(
        shape, width, width, hidden=channels, batch_norm=True, initializer="he_normal"
    )
    last = encoder[stages - 1]
    assert isinstance(last, nn.Sequential)
    # None in stages before: on larger images a block takes as long for fewer channels. Of two
    # trainings that take as long, that without those blocks ends with fewer errors.
    last.append(conv.Residual(channels[-1], batch_norm=True, initializer="he_normal"))
    return encoder, width


def _dense(shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    width = min(max(2 ** math.ceil(math.log2(4 * math.prod(shape))), 128), 1024)
    hidden, features = (width, width // 2), width // 4
    encoder, _ = dense.build_dense(
        shape, features, features, hidden=hidden, batch_norm=True, initializer="he_normal"
    )
    return encoder, features


class _Recipe(NamedTuple):
    """A network, and how it learns from all samples."""

    build: Callable[[tuple[int, ...]], tuple[nn.Module, int]]
    """From the shape of a sample to a network that gives features, and how many those are."""
    optimizer: str
    learning_rate: float
    work: float
    """Multiplications that all steps may cost for each sample of a step."""


STUDENTS = {
    "conv": _Recipe(_convolutions, "muon", 0.15, work=1.03e10),
    "dense": _Recipe(_dense, "adamw", _ADAMW_RATE, work=2.5e10),
}
"""On images of 28 x 28 pixels 1,900 steps of the convolutional student, 17,000 of the dense."""


@dataclass(frozen=True, kw_only=True)
class MeanTeacherOptions(MethodOptions):
    """Options of a student that learns from all samples, and of its teacher.

    Parameters
    ----------
    network : str
        Of the student; ``auto`` is ``conv`` for images.
    pretraining : str
        Of the student, without labels: ``contrast`` learns to recognise two changes of an image
        among those of others; ``auto`` is ``contrast`` for ``conv``.
    steps : int or "auto"
        Of training; ``auto`` is 100 passes, but 1,000 to 20,000 steps, the fewer the larger the
        student.
    threshold : float
        Probability from which the teacher is confident.
    weak, strong : str or None
        Augmentation of images for the teacher and for the student. None follows ``augment``; where
        that is ``auto``, weak is shift=0.05, and strong is mild and elastic.
    perturbation : float
        How far samples of tables are moved, in distances to the nearest neighbour.
    """

    network: Annotated[str, (*AUTO, *STUDENTS)] = "auto"
    pretraining: Annotated[str, ("auto", "contrast", "none")] = "auto"
    steps: Annotated[int | str, Range(1), AUTO] = "auto"
    threshold: Annotated[float, Range(0.0, 1.0, open_low=True, open_high=True)] = 0.95
    weak: str | None = None
    strong: str | None = None
    perturbation: Annotated[float, Range(0.0, float("inf"), open_high=True)] = 0.5


def student_name(problem: LearningProblem) -> str:
    """Return the network that the options ask for; ``auto`` is ``conv`` for images."""
    name = problem.method_options(MeanTeacherOptions).network
    if name == "auto":
        return "conv" if problem.is_image else "dense"
    return name


def build_student(problem: LearningProblem) -> Student:
    """Return a newly initialised network for the samples of a problem."""
    shape = tuple(problem.x.shape[1:])
    with seeded(problem.seed):
        encoder, features = STUDENTS[student_name(problem)].build(shape)
        student = Student(problem.x, encoder, features, problem.task.outputs)
    note_uses(student, torch.zeros(1, *shape))
    return student


def training_config(
    problem: LearningProblem, batch_size: int, steps: int, rate: float, **options: Any
) -> TrainingConfig:
    """Return how a student learns from all samples: about so many steps, in whole passes."""
    batch_size = min(batch_size, len(problem.x))
    return TrainingConfig(
        learning_rate=rate,
        # As much a step for every optimizer: rates of Muon are higher by far.
        weight_decay=problem.options.decay * min(_ADAMW_RATE / rate, 1.0),
        epochs=max(round(steps / math.ceil(len(problem.x) / batch_size)), 1),
        batch_size=batch_size,
        device=problem.options.device,
        precision=problem.options.precision,
        seed=problem.seed,
        **options,
    )
