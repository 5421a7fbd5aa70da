"""The ladder network: one training that denoises every layer and classifies the labelled rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import Tensor, nn

from cuello.data.dataset import UNLABELLED
from cuello.errors import InputError
from cuello.few_label.base import Method, Problem, Solution, register
from cuello.few_label.choosing import choose
from cuello.few_label.ladder import build_ladder, fit_ladder
from cuello.few_label.task import SingleLabel

__all__ = ["LadderMethod"]

HIDDEN = (1000, 500, 250, 250, 250)
BATCH_SIZE = 250
STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 10_000, 40, 400
FOLD_SHARE = 0.1
"""Epochs of a training that is only to be judged on held-out labels, as a share of all."""
LEARNING_RATE = 0.002


class PerTask(nn.Module):
    """A network that scores every class, with the scores that a task wants.

    Parameters
    ----------
    network : nn.Module
        Gives (B, classes).
    task : SingleLabel
        What labels say.
    """

    def __init__(self, network: nn.Module, task: SingleLabel) -> None:
        super().__init__()
        self.network = network
        self.task = task

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (B, outputs)."""
        return self.task.from_classes(self.network(x))


@final
class LadderMethod(Method):
    """Trains a ladder network; needs no autoencoder, for it is one."""

    name = "ladder"
    summary = "a ladder network (dense): denoises every layer of all rows while it classifies"
    pretrained = False
    uses_unlabelled = True
    single_label_only = True
    one_length = True
    options: ClassVar[Mapping[str, str]] = {
        "hidden": f"units of the layers; {', '.join(map(str, HIDDEN))}",
        "projected": "keep each unit's weights at norm 1, without a loss on the top layer; false",
        "epochs": f"auto: {STEPS:,} steps, in {FEWEST_EPOCHS} to {MOST_EPOCHS} passes",
    }

    def fit(self, problem: Problem) -> Solution:
        """Train with all labels; and, shorter, without those of each fold."""
        epochs = _epochs(problem)
        fold_epochs = min(max(round(FOLD_SHARE * epochs), 5), epochs)

        def fit(part: Problem, rate: float) -> nn.Module:
            if part is problem:
                return _train(part, rate, epochs)
            return _train(replace(part, callbacks=None), rate, fold_epochs)

        solution = choose(problem, (LEARNING_RATE,), fit, what="Learning rate")
        trained = f"{epochs} passes"
        if problem.options.cv:
            trained += (
                f", and {fold_epochs} for each fold: what is measured there is a cautious estimate"
            )
        return replace(solution, said=[f"{trained}.", *solution.said])

    def check(self, problem: Problem) -> None:
        """Refuse options that are not allowed."""
        _hidden(problem)
        _epochs(problem)

    def build(self, problem: Problem) -> nn.Module:
        """Return a ladder network, newly initialised."""
        task = problem.single_label
        shape, projected = tuple(problem.x.shape[1:]), bool(problem.option("projected", False))
        network = build_ladder(shape, task.classes, _hidden(problem), projected, problem.seed)
        return PerTask(network, task)


def _train(problem: Problem, rate: float, epochs: int) -> nn.Module:
    task = problem.single_label
    network = fit_ladder(
        problem.x,
        torch.from_numpy(np.where(problem.labelled, problem.y, UNLABELLED)),
        task.classes,
        hidden=_hidden(problem),
        projected=bool(problem.option("projected", False)),
        epochs=epochs,
        batch_size=max(min(BATCH_SIZE, len(problem.x)), 2),
        learning_rate=rate,
        seed=problem.seed,
        device=problem.options.device,
        precision=problem.options.precision,
        callbacks=problem.callbacks,
    )
    return PerTask(network, task).eval()


def _hidden(problem: Problem) -> Sequence[int]:
    hidden: Any = problem.option("hidden", HIDDEN)
    whole = isinstance(hidden, Sequence) and all(isinstance(u, int) and u > 0 for u in hidden)
    if not whole or not hidden:
        raise InputError(f"hidden={hidden!r} must be the units of one layer or more: (250, 100).")
    return list(hidden)


def _epochs(problem: Problem) -> int:
    epochs: Any = problem.option("epochs", "auto")
    if epochs == "auto":
        a_pass = max(math.ceil(len(problem.x) / BATCH_SIZE), 1)
        return min(max(math.ceil(STEPS / a_pass), FEWEST_EPOCHS), MOST_EPOCHS)
    if not isinstance(epochs, int | np.integer) or epochs < 1:
        raise InputError(f"epochs={epochs!r} must be a whole number from 1 on, or 'auto'.")
    return int(epochs)


register(LadderMethod())
