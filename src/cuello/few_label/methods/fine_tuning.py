"""An encoder and a newly initialised head: frozen, fine-tuned, or trained from scratch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, final

import numpy as np
import torch
from torch import nn

from cuello.data.augment import Augment
from cuello.estimators.baselines import INVERSE_PENALTIES
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution
from cuello.few_label.cross_validation import Candidate, select
from cuello.few_label.head import EncoderWithHead
from cuello.few_label.students import is_image
from cuello.few_label.tasks import Regression
from cuello.train import train

__all__ = ["FALLBACK", "FineTuning"]

FALLBACK = "fine_tune_slow"
"""What is taken where there is nothing to choose by."""
LONGER = 3
HIGH_WEIGHT_DECAY = 1.0
"""With AdamW's rates that is what holds weights back in some hundred steps."""


@dataclass(frozen=True)
class _Setting:
    """One candidate of how to fine-tune."""

    rate: float  # of the head
    augment: Augment | None = None
    times: int = 1  # epochs, as a multiple of those of the options
    decay: float | None = None  # weight decay; None: that of the options
    changes: str = ""  # what differs from the first settings

    @property
    def name(self) -> Candidate:
        return f"{self.rate:g}{self.changes}" if self.changes else self.rate

    def with_change(self, title: str, **fields: Any) -> _Setting:
        return replace(self, changes=f"{self.changes}, {title}", **fields)


def _refinements(problem: LearningProblem) -> list[Callable[[_Setting], _Setting]]:
    """Return what is tried upon the best setting so far, each once: what is left to ``auto``."""
    options, changes = problem.options, []
    if options.augment == "auto" and is_image(problem):
        changes.append(lambda best: best.with_change("images augmented", augment=Augment.mild()))
    if options.epochs == "auto":
        changes.append(lambda best: best.with_change(f"{LONGER} times the epochs", times=LONGER))
    if options.weight_decay == "auto":
        title = f"weight decay {HIGH_WEIGHT_DECAY:g}"
        changes.append(lambda best: best.with_change(title, decay=HIGH_WEIGHT_DECAY))
    return changes


@final
class FineTuning(Method):
    """An encoder with a head: from which weights it starts, and how fast the encoder learns.

    ``encoder_lr_factor`` is the encoder's rate as a share of the head's; None: the estimator's
    option.
    """

    compared_by_default = True

    def __init__(
        self,
        name: str,
        display_name: str,
        summary: str,
        *,
        encoder_lr_factor: float | None,
        pretrained: bool = True,
    ) -> None:
        self.name, self.display_name, self.summary = name, display_name, summary
        self.encoder_lr_factor = encoder_lr_factor
        self.pretrained = self.refittable = pretrained
        self.overconfident = encoder_lr_factor != 0.0

    def fit(self, problem: LearningProblem) -> Solution:
        """Fine-tune at the best rate, or fit the head on fixed embeddings with the best penalty.

        At that rate augmentation of images, longer training and more weight decay are tried as
        well, and each is kept if it is better.
        """
        options = problem.options
        squared = not isinstance(problem.task, Regression) or problem.task.loss == "mse"
        if self.encoder_lr_factor == 0.0 and options.linear_head and squared:
            return select(problem, INVERSE_PENALTIES, self._fit_head, title="Inverse penalty")
        first = (_Setting(rate, options.augmentation()) for rate in options.learning_rates)
        settings = {setting.name: setting for setting in first}
        refinements = iter(_refinements(problem))

        def further(best: Candidate) -> list[Candidate]:
            new = [refine(settings[best]) for refine in islice(refinements, 1)]
            settings.update({setting.name: setting for setting in new})
            return [setting.name for setting in new]

        return select(
            problem,
            list(settings),
            lambda part, name: self._fine_tune(part, settings[name]),
            title="Learning rate",
            further=further,
        )

    def build(self, problem: LearningProblem) -> EncoderWithHead:
        """Return the encoder, as the method starts it, with a new head."""
        source, options = problem.autoencoder, problem.options
        factor = self.encoder_lr_factor
        assert source is not None
        body, mean, scale = source.module_, source.embedding_mean_, source.embedding_scale_
        if not self.pretrained:
            body = source.build_module(problem.seed)
            mean, scale = np.zeros_like(mean), np.ones_like(scale)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(problem.seed)
            return EncoderWithHead(
                body,
                problem.task,
                mean,
                scale,
                encoder_lr_factor=options.encoder_lr_factor if factor is None else factor,
                layer_decay=options.layer_decay,
                hidden=options.head_hidden,
                batch_norm=options.batch_norm,
                dropout=options.dropout,
            )

    def _fine_tune(self, problem: LearningProblem, setting: _Setting) -> EncoderWithHead:
        network, samples = self.build(problem), problem.labelled_samples()
        config = problem.options.training(setting.rate, len(samples), problem.seed)
        decay = config.weight_decay if setting.decay is None else setting.decay
        config = replace(config, epochs=setting.times * config.epochs, weight_decay=decay)
        train(network, samples, config, augment=setting.augment, callbacks=problem.callbacks)
        return network

    def _fit_head(self, problem: LearningProblem, inverse_penalty: float) -> EncoderWithHead:
        """Fit a linear head alone, by an exact solver."""
        network, samples = self.build(problem).eval(), problem.labelled_samples()
        assert samples.y is not None
        assert isinstance(network.head, nn.Linear)
        with torch.no_grad():
            embeddings = network.embeddings(samples.x).numpy()
            weight, bias = problem.task.fit_linear(embeddings, samples.y.numpy(), inverse_penalty)
            network.head.weight.copy_(torch.from_numpy(weight))
            network.head.bias.copy_(torch.from_numpy(bias))
        return network


for _method in (
    FineTuning(
        "from_scratch",
        "From scratch",
        "Trains the encoder from new weights: what pretraining is compared with.",
        encoder_lr_factor=1.0,
        pretrained=False,
    ),
    FineTuning(
        "linear_probe",
        "Linear probe",
        "Keeps the encoder as it is; an exact solver fits a linear head on its embeddings.",
        encoder_lr_factor=0.0,
    ),
    FineTuning(
        "fine_tune_slow",
        "Fine-tuned, slow encoder",
        "Trains encoder and head; the encoder learns at a share of the head's rate.",
        encoder_lr_factor=None,
    ),
    FineTuning(
        "fine_tune",
        "Fine-tuned",
        "Trains encoder and head at the same rate.",
        encoder_lr_factor=1.0,
    ),
):
    METHODS.add(_method.name, _method)
