"""An encoder and a newly initialised head: frozen, fine-tuned, or trained from scratch.

Shapes: B samples of a batch, ... the shape of a sample, K latents, C outputs.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from cuello.arrays import Float32s
from cuello.data.augment import Augment
from cuello.estimators.baselines import INVERSE_PENALTIES
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution
from cuello.few_label.cross_validation import Candidate, select
from cuello.few_label.options import FewLabelOptions
from cuello.few_label.students import SingleOptimizer
from cuello.few_label.tasks import Regression, Task
from cuello.kinds import AutoencoderModule, Batch, ParameterGroups
from cuello.networks import LinearSkip
from cuello.seeding import seeded
from cuello.train import Rows, train

__all__ = ["EncoderWithHead", "FineTuning"]

LONGER = 3
HIGH_WEIGHT_DECAY = 1.0
"""With AdamW's rates that is what holds weights back in some hundred steps."""


class EncoderWithHead(SingleOptimizer):
    """Scores (B, C) from the embedding of a copied autoencoder, whose decoder is left out.

    Embeddings (B, K) are standardised before the head, so that one learning rate suits every
    encoder. The last block of the encoder learns at ``encoder_lr_factor`` of the head's rate (0
    keeps the encoder as it is), each block at ``layer_decay`` of the rate of the next: Howard and
    Ruder, "Universal language model fine-tuning for text classification", ACL 2018, section 3.2.
    """

    embedding_mean: Tensor
    embedding_scale: Tensor

    def __init__(
        self,
        autoencoder: AutoencoderModule,
        task: Task,
        embedding_mean: Float32s,
        embedding_scale: Float32s,
        options: FewLabelOptions,
        *,
        encoder_lr_factor: float,
    ) -> None:
        super().__init__()
        # The decoder is not trained and not stored, and so not copied either.
        self.body = copy.deepcopy(autoencoder, {id(autoencoder.decoder): nn.Identity()})
        self.task = task
        width = options.head_hidden or len(embedding_mean)
        layers = [
            *([nn.Linear(len(embedding_mean), width)] if options.head_hidden else []),
            *([nn.BatchNorm1d(width)] if options.batch_norm else []),
            *([nn.ReLU()] if options.head_hidden else []),
            *([nn.Dropout(options.dropout)] if options.dropout else []),
            nn.Linear(width, task.outputs),
        ]
        self.head = layers[0] if len(layers) == 1 else nn.Sequential(*layers)
        self.encoder_lr_factor = encoder_lr_factor
        self.layer_decay = options.layer_decay
        self.register_buffer("embedding_mean", torch.as_tensor(embedding_mean))
        self.register_buffer("embedding_scale", torch.as_tensor(embedding_scale))

    def train(self, mode: bool = True) -> Self:
        """Switch to training; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.encoder_lr_factor == 0.0:
            self.body.eval()  # or batch normalisation would go on counting, and dropout drop
        return self

    def embeddings(self, x: Tensor) -> Tensor:
        """Return standardised embeddings (B, K)."""
        return (self.body.features(x) - self.embedding_mean) / self.embedding_scale

    def forward(self, x: Tensor) -> Tensor:
        """Return scores before activation (B, C)."""
        scores: Tensor = self.head(self.embeddings(x))
        return scores

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the task's loss."""
        assert batch.y is not None
        return self.task.losses(self(batch.x), batch.y)

    def optimizers(self) -> ParameterGroups:
        """Return the head and, block by block at their own rates, the encoder."""
        groups: list[dict[str, Any]] = [{"params": list(self.head.parameters())}]
        encoder, rate = self.body.encoder, self.encoder_lr_factor
        if isinstance(encoder, LinearSkip):
            *first, last = encoder.path.children()
            blocks = [*first, nn.ModuleList([last, encoder.linear])]
        else:
            blocks = list(encoder) if isinstance(encoder, nn.Sequential) else [encoder]
        for block in reversed(blocks):
            parameters = list(block.parameters())
            if rate > 0.0 and parameters:
                groups.append({"params": parameters, "lr_scale": rate})
                rate *= self.layer_decay
        return {"classifier": groups}


@final
class FineTuning(Method):
    """An encoder with a head; ``encoder_lr_factor`` None is the estimator's option."""

    compared_on_request = True

    def __init__(
        self,
        name: str,
        display_name: str,
        summary: str,
        *,
        encoder_lr_factor: float | None,
        pretrained: bool = True,
        tried_by_auto: bool = False,
    ) -> None:
        self.name, self.display_name, self.summary = name, display_name, summary
        self.encoder_lr_factor = encoder_lr_factor
        self.tried_by_auto = tried_by_auto
        self.pretrained = self.refittable = pretrained
        self.is_quick = encoder_lr_factor == 0.0
        self.overconfident = not self.is_quick

    def fit(self, problem: LearningProblem) -> Solution:
        """Fine-tune at the best rate, or fit the head on fixed embeddings with the best penalty."""
        options = problem.options
        linear = options.head_hidden is None and not options.batch_norm and options.dropout == 0.0
        squared = not isinstance(problem.task, Regression) or problem.task.loss == "mse"
        if self.encoder_lr_factor == 0.0 and linear and squared:
            return select(problem, INVERSE_PENALTIES, self._fit_head, title="Inverse penalty")
        chosen = options.augment not in (None, "auto")
        augment = Augment.parse(str(options.augment)) if chosen else None
        settings: dict[Candidate, dict[str, Any]] = {
            rate: {"rate": rate, "augment": augment} for rate in options.learning_rates
        }
        # What is left to auto is tried upon the best candidate so far, each once.
        changes: dict[str, dict[str, Any]] = {}
        if options.augment == "auto" and problem.is_image:
            changes["images augmented"] = {"augment": Augment.mild()}
        if options.epochs == "auto":
            changes[f"{LONGER} times the epochs"] = {"times": LONGER}
        if options.weight_decay == "auto":
            changes[f"weight decay {HIGH_WEIGHT_DECAY:g}"] = {"decay": HIGH_WEIGHT_DECAY}
        untried = iter(changes.items())

        def further(best: Candidate) -> list[Candidate]:
            for title, change in untried:
                name = f"{best if isinstance(best, str) else f'{best:g}'}, {title}"
                settings[name] = settings[best] | change
                return [name]
            return []

        return select(
            problem,
            list(settings),
            lambda part, name: self._fine_tune(part, **settings[name]),
            title="Learning rate",
            further=further,
        )

    def build(self, problem: LearningProblem) -> EncoderWithHead:
        """Return the encoder, as the method starts it, with a new head."""
        source, factor = problem.autoencoder, self.encoder_lr_factor
        assert source is not None
        body, mean, scale = source.module_, source.embedding_mean_, source.embedding_scale_
        if not self.pretrained:
            body = source.build_module(problem.seed)
            mean, scale = np.zeros_like(mean), np.ones_like(scale)
        with seeded(problem.seed):
            rate = problem.options.encoder_lr_factor if factor is None else factor
            return EncoderWithHead(
                body, problem.task, mean, scale, problem.options, encoder_lr_factor=rate
            )

    def _fine_tune(
        self,
        problem: LearningProblem,
        *,
        rate: float,
        augment: Augment | None,
        times: int = 1,
        decay: float | None = None,
    ) -> EncoderWithHead:
        """Train ``times`` the epochs of the options, with their weight decay unless given here."""
        network, samples = self.build(problem), Rows(*problem.labelled_samples())
        config = problem.options.training(rate, len(samples), problem.seed)
        decay = config.weight_decay if decay is None else decay
        config = replace(config, epochs=times * config.epochs, weight_decay=decay)
        train(network, samples, config, augment=augment, callbacks=problem.callbacks)
        return network

    def _fit_head(self, problem: LearningProblem, inverse_penalty: float) -> EncoderWithHead:
        """Fit a linear head alone, by an exact solver."""
        network, (x, y) = self.build(problem).eval(), problem.labelled_samples()
        assert isinstance(network.head, nn.Linear)
        with torch.no_grad():
            embeddings = network.embeddings(x).numpy()
            weight, bias = problem.task.fit_linear(embeddings, y.numpy(), inverse_penalty)
            network.head.weight.copy_(torch.from_numpy(weight))
            network.head.bias.copy_(torch.from_numpy(bias))
        return network


for _method in (
    FineTuning(
        "from_scratch",
        "From scratch",
        "Trains the encoder from new weights: the baseline without pretraining.",
        encoder_lr_factor=1.0,
        pretrained=False,
    ),
    FineTuning(
        "linear_probe",
        "Linear probe",
        "Keeps the encoder as it is; an exact solver fits a linear head on its embeddings.",
        encoder_lr_factor=0.0,
        tried_by_auto=True,
    ),
    FineTuning(
        "fine_tune_slow",
        "Fine-tuned, slow encoder",
        "Trains encoder and head; the encoder learns at a share of the head's rate.",
        encoder_lr_factor=None,
        tried_by_auto=True,
    ),
    FineTuning(
        "fine_tune",
        "Fine-tuned",
        "Trains encoder and head at the same rate.",
        encoder_lr_factor=1.0,
    ),
):
    METHODS.add(_method.name, _method)
