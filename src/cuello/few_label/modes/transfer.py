"""An encoder and a newly initialised head: frozen, fine-tuned, or trained from scratch."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import nn

from cuello.data.augment import Augment
from cuello.estimators.baselines import INVERSE_PENALTIES
from cuello.few_label.base import Mode, Problem, Solution, register
from cuello.few_label.choosing import choose
from cuello.few_label.head import EncoderWithHead
from cuello.few_label.students import is_image
from cuello.few_label.task import Number
from cuello.train import train

__all__ = ["Transfer"]


@final
class Transfer(Mode):
    """What the encoder starts from, and how fast it moves.

    Parameters
    ----------
    name, summary : str
        Of the mode.
    pretrained : bool
        Start from the autoencoder's weights, or from new ones.
    encoder_lr_factor : float or None
        The encoder's rate as a share of the head's; None: the estimator's option.
    temper : bool
        See :class:`Mode`.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        *,
        pretrained: bool,
        encoder_lr_factor: float | None,
        temper: bool = True,
    ) -> None:
        self.name = name
        self.summary = summary
        self.pretrained = pretrained
        self.encoder_lr_factor = encoder_lr_factor
        self.temper = temper

    def fit(self, problem: Problem) -> Solution:
        """Fine-tune at the best rate, or find the head on fixed codes with the best penalty.

        At that rate images are also changed mildly while they are learned, if that is better.
        """
        options = problem.options
        squared = not isinstance(problem.task, Number) or problem.task.loss == "mse"
        if self.encoder_lr_factor == 0.0 and options.plain_head and squared:
            return choose(problem, INVERSE_PENALTIES, self._fit_head, what="Inverse penalty")
        given = options.augmentation()
        ways: dict[float | str, tuple[float, Augment | None]] = {
            rate: (rate, given) for rate in options.learning_rates
        }

        def further(best: float) -> list[str]:
            if options.augment != "auto" or not is_image(problem):
                return []
            name = f"{best:g}, images changed"
            ways[name] = best, Augment.mild()
            return [name]

        return choose(
            problem,
            list(ways),
            lambda part, name: self._fine_tune(part, *ways[name]),
            what="Learning rate",
            further=further,
        )

    def build(self, problem: Problem) -> EncoderWithHead:
        """Return the encoder, as the mode starts it, with a new head."""
        source, options = problem.autoencoder, problem.options
        factor = self.encoder_lr_factor
        assert source is not None
        if self.pretrained:
            body, mean, scale = source.module_, source.code_mean_, source.code_scale_
        else:
            body = source.build_module(problem.seed)
            mean, scale = np.zeros_like(source.code_mean_), np.ones_like(source.code_scale_)
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

    def _fine_tune(self, problem: Problem, rate: float, augment: Augment | None) -> EncoderWithHead:
        network, rows, options = self.build(problem), problem.rows(), problem.options
        how = options.training(rate, len(rows), problem.seed)
        train(network, rows, how, augment=augment, watcher=problem.watcher)
        return network

    def _fit_head(self, problem: Problem, inverse_penalty: float) -> EncoderWithHead:
        """Fit a linear head alone: an exact solver does it."""
        network, rows = self.build(problem).eval(), problem.rows()
        assert rows.y is not None
        assert isinstance(network.head, nn.Linear)
        with torch.no_grad():
            codes = network.codes(rows.x).numpy()
            found = problem.task.fit_linear(codes, rows.y.numpy(), inverse_penalty)
            network.head.weight.copy_(torch.from_numpy(found[0]))
            network.head.bias.copy_(torch.from_numpy(found[1]))
        return network


for _mode in (
    Transfer(
        "scratch",
        "the same network, newly initialised: what pre-training is compared with",
        pretrained=False,
        encoder_lr_factor=1.0,
    ),
    Transfer(
        "frozen",
        "the encoder stays as it is; an exact solver finds the head on its codes",
        pretrained=True,
        encoder_lr_factor=0.0,
        temper=False,
    ),
    Transfer(
        "slow",
        "the encoder learns at a share of the head's rate",
        pretrained=True,
        encoder_lr_factor=None,
    ),
    Transfer(
        "full", "the encoder learns at the head's rate", pretrained=True, encoder_lr_factor=1.0
    ),
):
    register(_mode)
