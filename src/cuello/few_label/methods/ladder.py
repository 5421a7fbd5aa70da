"""Ladder network: one training denoises every layer and classifies the labelled samples.

Source: Rasmus, Valpola, Honkala, Berglund and Raiko, "Semi-supervised learning with ladder
networks", NIPS (2015), arXiv:1507.02672, with 150 passes of 100 samples a step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, final

import torch
from torch import Tensor, nn

from cuello.data.dataset import UNLABELLED
from cuello.errors import InputError
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution
from cuello.few_label.cross_validation import train_long
from cuello.few_label.options import AUTO, MethodOptions
from cuello.few_label.tasks import SingleLabel
from cuello.kinds import Parts, ReconstructionLoss
from cuello.kinds.ladder import Ladder
from cuello.networks import dense
from cuello.options import Range
from cuello.seeding import seeded
from cuello.train import Rows, TrainingConfig, train

__all__ = ["LadderMethod"]

LADDER_BATCH, LABELLED_IN_BATCH = 250, 100
"""Samples that are denoised in a step, and labelled ones that are classified."""
LADDER_RATE = 0.002
LADDER_STEPS, MIN_EPOCHS, MAX_EPOCHS = 10_000, 40, 400
MIN_FOLD_EPOCHS = 5


@dataclass(frozen=True, kw_only=True)
class _LadderOptions(MethodOptions):
    """Options of a ladder network.

    Parameters
    ----------
    hidden : sequence of int
        Units of the layers.
    projected : bool
        Whether each unit's weights keep norm 1, without a denoising loss on the top layer.
    epochs : int or "auto"
        Passes over all samples; ``auto`` is 10,000 steps, in 40 to 400 passes.
    """

    hidden: Sequence[int] = (1000, 500, 250, 250, 250)
    projected: bool = False
    epochs: Annotated[int | str, Range(1), AUTO] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        units = self.hidden if isinstance(self.hidden, Sequence) else ()
        if not units or not all(isinstance(unit, int) and unit > 0 for unit in units):
            allowed = "the units of one layer or more, such as (250, 100)"
            raise InputError(argument="hidden", value=self.hidden, allowed=allowed)


class _TaskScores(nn.Module):
    """Scores (B, outputs) of a ladder network, as those of a task's head."""

    def __init__(self, network: Ladder, task: SingleLabel) -> None:
        super().__init__()
        self.network = network
        self.task = task

    def forward(self, x: Tensor) -> Tensor:
        return self.task.from_classes(self.network(x))


@final
class LadderMethod(Method):
    """Trains a ladder network; needs no autoencoder, for it is one."""

    name = "ladder"
    display_name = "Ladder network"
    summary = "A dense network denoises every layer for all samples while it classifies some."
    options_class = _LadderOptions
    pretrained = False
    uses_unlabelled = True
    single_label_only = True
    fixed_length = True

    def fit(self, problem: LearningProblem) -> Solution:
        """Train with all labels; and, shorter, without those of each fold."""
        epochs = problem.method_options(_LadderOptions).epochs
        if isinstance(epochs, str):
            steps_a_pass = math.ceil(len(problem.x) / LADDER_BATCH)
            epochs = min(max(math.ceil(LADDER_STEPS / steps_a_pass), MIN_EPOCHS), MAX_EPOCHS)
        return train_long(
            problem,
            LADDER_RATE,
            self._train,
            length=int(epochs),
            shortest=MIN_FOLD_EPOCHS,
            trained=f"{epochs} passes",
        )

    def build(self, problem: LearningProblem) -> _TaskScores:
        """Return a ladder network, newly initialised."""
        task, options = problem.single_label, problem.method_options(_LadderOptions)
        shape, (*first, last) = tuple(problem.x.shape[1:]), list(options.hidden)
        with seeded(problem.seed):
            encoder, decoder = dense.build_dense(
                shape, last, last, hidden=first, latent_activation="relu"
            )
            for layer in (*encoder.modules(), *decoder.modules()):
                if isinstance(layer, nn.Linear):
                    nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            parts = Parts(
                encoder=encoder,
                decoder=decoder,
                reconstruction=ReconstructionLoss(
                    loss="mse", output="identity", low=-math.inf, high=math.inf
                ),
                shape=shape,
                latent_dim=last,
                classes=task.classes,
            )
            return _TaskScores(Ladder(parts, projected=options.projected), task)

    def _train(self, problem: LearningProblem, rate: float, epochs: int) -> nn.Module:
        """Train on all samples; mean and variance of every layer are then those of all at once."""
        config = TrainingConfig(
            optimizer="adam",
            learning_rate=rate,
            schedule="constant_linear",
            epochs=epochs,
            batch_size=max(min(LADDER_BATCH, len(problem.x)), 2),
            device=problem.options.device,
            precision=problem.options.precision,
            seed=problem.seed,
        )
        module, x = self.build(problem), problem.x
        none = torch.full((len(x),), UNLABELLED)
        labelled = Rows(*problem.labelled_samples())
        samples = Rows(x, none, labelled=labelled, draw=LABELLED_IN_BATCH)
        train(module.network, samples, config, callbacks=problem.callbacks)
        module.network.estimate_statistics(x)
        return module.eval()


METHODS.add(LadderMethod.name, LadderMethod())
