"""Networks that classify rows directly, for modes that train one of their own."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cuello.errors import InputError, unknown
from cuello.few_label.base import Problem
from cuello.networks import conv, dense, note_uses

__all__ = ["STUDENTS", "Standardize", "build_student", "student_name"]

_WIDTH = 64
"""Units of the layer before the scores."""
_SIDE = 7
"""Pixels to which convolutions reduce the shorter side, about."""


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


def _convolutions(shape: tuple[int, ...], outputs: int) -> nn.Module:
    if len(shape) not in (2, 3):
        raise InputError(
            f"network='conv' cannot take rows of shape {shape}; use mode_options="
            "{'network': 'dense'}."
        )
    stages = min(max(round(math.log2(min(shape[-2:]) / _SIDE)), 2), 4)
    encoder, _ = conv.build(
        shape,
        _WIDTH,
        _WIDTH,
        hidden=[32 * 2**stage for stage in range(stages)],
        batch_norm=True,
        residual=True,
        initializer="he_normal",
    )
    for stage in list(encoder.children())[: stages - 1]:
        assert isinstance(stage, nn.Sequential)
        # On larger images a block takes as long for fewer channels. Of two trainings that take as
        # long, that without those blocks ends with fewer errors.
        del stage[-1]
    return nn.Sequential(encoder, nn.BatchNorm1d(_WIDTH), nn.ReLU(), nn.Linear(_WIDTH, outputs))


def _dense(shape: tuple[int, ...], outputs: int) -> nn.Module:
    width = min(max(2 ** math.ceil(math.log2(4 * math.prod(shape))), 128), 1024)
    hidden = (width, width // 2, width // 4)
    encoder, _ = dense.build(
        shape, outputs, outputs, hidden=hidden, batch_norm=True, initializer="he_normal"
    )
    return encoder


STUDENTS: dict[str, Callable[[tuple[int, ...], int], nn.Module]] = {
    "conv": _convolutions,
    "dense": _dense,
}
"""Makers of networks from the shape of a row and the number of scores."""


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
    sequences = source is not None and source.network == "sequence"
    return problem.x.ndim in (3, 4) and not sequences


def build_student(problem: Problem) -> nn.Module:
    """Return a newly initialised network for the rows of a problem: scores (B, outputs)."""
    shape = tuple(problem.x.shape[1:])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        network = STUDENTS[student_name(problem)](shape, problem.task.outputs)
    whole = nn.Sequential(Standardize(problem.x), network)
    note_uses(whole, torch.zeros(1, *shape))
    return whole
