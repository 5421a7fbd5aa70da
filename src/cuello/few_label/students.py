"""Networks that classify rows directly, for modes that train one of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cuello.errors import InputError, unknown
from cuello.few_label.base import Problem
from cuello.networks import NETWORKS, conv, dense, note_uses
from cuello.train import TrainingConfig

__all__ = [
    "STUDENTS",
    "Recipe",
    "Standardize",
    "Student",
    "build_student",
    "is_image",
    "student_name",
    "training_of",
]

_WIDTH = 256
"""Units of the layer before the scores of a convolutional student."""
_CHANNELS = 64
"""Of the last stage of a convolutional student; each stage before has half as many, 16 at least."""
_SIDE = 7
"""Pixels to which convolutions reduce the shorter side, about."""
_ADAMW_RATE = 4e-3


class Standardize(nn.Module):
    """Rows less their mean, over their deviation: one number each for all pixels or columns.

    Columns are scaled before they come here; what is left is where 0 lies and how far values reach.
    What is missing after the end of a short sequence becomes 0, the mean.

    Parameters
    ----------
    rows : Tensor of shape (n, ...)
        Empty for a network whose weights are stored.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        some = rows[:10_000]
        some = some[some.isfinite()]
        known = some.numel() > 1
        self.register_buffer("mean", some.mean() if known else torch.zeros(()))
        self.register_buffer("deviation", some.std().clamp(min=1e-6) if known else torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return rows of the same shape."""
        return torch.nan_to_num((x - self.mean) / self.deviation)


class Student(nn.Module):
    """Rows (B, ...) to scores (B, outputs), by way of features that can be learned without labels.

    Parameters
    ----------
    standardize : Standardize
        What rows go through first.
    encoder : nn.Module
        To ``features`` numbers a row.
    features, outputs : int
        Widths of the last two layers.
    """

    def __init__(
        self, standardize: Standardize, encoder: nn.Module, features: int, outputs: int
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(standardize, encoder, nn.BatchNorm1d(features), nn.ReLU())
        self.head = nn.Linear(features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (B, outputs)."""
        scores: Tensor = self.head(self.body(x))
        return scores


def _convolutions(shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    if len(shape) not in (2, 3):
        raise InputError(
            f"network='conv' cannot take rows of shape {shape}; use method_options="
            "{'network': 'dense'}."
        )
    stages = min(max(round(math.log2(min(shape[-2:]) / _SIDE)), 2), 4)
    # As many in the last stage for every size of image: a step takes about as long for all.
    channels = [max(_CHANNELS >> (stages - stage), 16) for stage in range(1, stages + 1)]
    encoder, _ = conv.build_conv(
        shape, _WIDTH, _WIDTH, hidden=channels, batch_norm=True, initializer="he_normal"
    )
    last = encoder[stages - 1]
    assert isinstance(last, nn.Sequential)
    # None in stages before: on larger images a block takes as long for fewer channels. Of two
    # trainings that take as long, that without those blocks ends with fewer errors.
    last.append(conv.residual_block(channels[-1], batch_norm=True, initializer="he_normal"))
    return encoder, _WIDTH


def _dense(shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    width = min(max(2 ** math.ceil(math.log2(4 * math.prod(shape))), 128), 1024)
    hidden, features = (width, width // 2), width // 4
    encoder, _ = dense.build_dense(
        shape, features, features, hidden=hidden, batch_norm=True, initializer="he_normal"
    )
    return encoder, features


@dataclass(frozen=True)
class Recipe:
    """A network and how it learns from all rows.

    Parameters
    ----------
    build : callable
        From the shape of a row to a network that gives features, and how many those are.
    optimizer : str
        One of :data:`cuello.train.OPTIMIZERS`.
    learning_rate : float
        Above 0.
    work : float
        Multiplications that all steps may cost for each row of a step.
    """

    build: Callable[[tuple[int, ...]], tuple[nn.Module, int]]
    optimizer: str
    learning_rate: float
    work: float


STUDENTS: dict[str, Recipe] = {
    "conv": Recipe(_convolutions, "muon", 0.15, work=1.3e10),
    "dense": Recipe(_dense, "adamw", _ADAMW_RATE, work=2.5e10),
}
"""Some five minutes on two cores: 2,400 steps of the convolutional student on images of 28 x 28
pixels, 17,000 of the dense one.

Orthogonal steps of convolutions take a sixth longer than AdamW's and are worth three of them: 300
labels of Fashion-MNIST, one draw, errors on training images without a label, 1,500 steps after
1,200 of contrast: 18.6 % by AdamW and 16.5 to 17.1 % by Muon with rates of 0.1 to 0.24; 16.5 % by
AdamW after 4,600 and 2,300 of contrast. Those of the dense network's wide matrices take longer than
all else in a step.
"""


def student_name(problem: Problem) -> str:
    """Return the network that the options ask for; ``auto`` is ``conv`` for images.

    Raises
    ------
    InputError
        If it is not known.
    """
    name = str(problem.option("network", "auto"))
    if name == "auto":
        return "conv" if is_image(problem) else "dense"
    if name not in STUDENTS:
        raise unknown("network", name, ("auto", *STUDENTS))
    return name


def is_image(problem: Problem) -> bool:
    """Return whether rows are images: what has height and width, and is no sequence."""
    source = problem.autoencoder
    sequences = source is not None and NETWORKS[source.network].is_sequence
    return problem.x.ndim in (3, 4) and not sequences


def build_student(problem: Problem) -> Student:
    """Return a newly initialised network for the rows of a problem."""
    shape = tuple(problem.x.shape[1:])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        encoder, features = STUDENTS[student_name(problem)].build(shape)
        student = Student(Standardize(problem.x), encoder, features, problem.task.outputs)
    note_uses(student, torch.zeros(1, *shape))
    return student


def training_of(
    problem: Problem, rows: int, steps: int, optimizer: str, learning_rate: float, warm_up: float
) -> TrainingConfig:
    """Return how a student learns from all rows: so many a step, about so many steps, in passes."""
    batch_size = min(rows, len(problem.x))
    return TrainingConfig(
        optimizer=optimizer,
        learning_rate=learning_rate,
        # As much a step for every optimizer: rates of Muon are higher by far.
        weight_decay=problem.options.decay * min(_ADAMW_RATE / learning_rate, 1.0),
        warm_up=warm_up,
        epochs=max(round(steps / math.ceil(len(problem.x) / batch_size)), 1),
        batch_size=batch_size,
        device=problem.options.device,
        precision=problem.options.precision,
        seed=problem.seed,
    )
