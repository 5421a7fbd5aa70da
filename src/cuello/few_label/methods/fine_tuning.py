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
from cuello.few_label.base import Method, Options, Problem, Solution, register
from cuello.few_label.choosing import Candidate, choose
from cuello.few_label.head import EncoderWithHead
from cuello.few_label.students import is_image
from cuello.few_label.task import Regression
from cuello.train import train

__all__ = ["Transfer"]

LONGER = 3
HIGH = 1.0
"""Weight decay: with AdamW's rates that is what holds weights back in some hundred steps."""


@dataclass(frozen=True)
class _Way:
    """How to fine-tune; its name says what of it was found.

    Parameters
    ----------
    rate : float
        Of the head.
    augment : Augment or None
        What is done to images.
    times : int
        Epochs, in those that the options ask for.
    decay : float or None
        Weight decay; None: that of the options.
    found : str
        What was changed of the first ways.
    """

    rate: float
    augment: Augment | None = None
    times: int = 1
    decay: float | None = None
    found: str = ""

    @property
    def name(self) -> Candidate:
        return f"{self.rate:g}{self.found}" if self.found else self.rate

    def but(self, what: str, **changes: Any) -> _Way:
        return replace(self, found=f"{self.found}, {what}", **changes)


def _first_ways(options: Options) -> list[_Way]:
    return [_Way(rate, options.augmentation()) for rate in options.learning_rates]


def _turns(problem: Problem) -> list[Callable[[_Way], _Way]]:
    """Return what is tried upon the best way so far, each once: what the options leave open."""
    options, turns = problem.options, []
    if options.augment == "auto" and is_image(problem):
        turns.append(lambda way: way.but("images changed", augment=Augment.mild()))
    if options.epochs == "auto":
        turns.append(lambda way: way.but(f"{LONGER} times the epochs", times=LONGER))
    if options.weight_decay == "auto":
        turns.append(lambda way: way.but(f"weight decay {HIGH:g}", decay=HIGH))
    return turns


@final
class Transfer(Method):
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

        At that rate images are also changed mildly while they are learned, learning lasts longer
        and weights decay more, each if that is better.
        """
        options = problem.options
        squared = not isinstance(problem.task, Regression) or problem.task.loss == "mse"
        if self.encoder_lr_factor == 0.0 and options.plain_head and squared:
            return choose(problem, INVERSE_PENALTIES, self._fit_head, what="Inverse penalty")
        ways = {way.name: way for way in _first_ways(options)}
        turns = iter(_turns(problem))

        def further(best: Candidate) -> list[Candidate]:
            found = [turn(ways[best]) for turn in islice(turns, 1)]
            ways.update({way.name: way for way in found})
            return [way.name for way in found]

        return choose(
            problem,
            list(ways),
            lambda part, name: self._fine_tune(part, ways[name]),
            what="Learning rate",
            further=further,
        )

    def build(self, problem: Problem) -> EncoderWithHead:
        """Return the encoder, as the mode starts it, with a new head."""
        source, options = problem.autoencoder, problem.options
        factor = self.encoder_lr_factor
        assert source is not None
        if self.pretrained:
            body, mean, scale = source.module_, source.embedding_mean_, source.embedding_scale_
        else:
            body = source.build_module(problem.seed)
            mean, scale = (
                np.zeros_like(source.embedding_mean_),
                np.ones_like(source.embedding_scale_),
            )
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

    def _fine_tune(self, problem: Problem, way: _Way) -> EncoderWithHead:
        network, rows = self.build(problem), problem.rows()
        config = problem.options.training(way.rate, len(rows), problem.seed)
        decay = config.weight_decay if way.decay is None else way.decay
        config = replace(config, epochs=way.times * config.epochs, weight_decay=decay)
        train(network, rows, config, augment=way.augment, callbacks=problem.callbacks)
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


for _method in (
    Transfer(
        "from_scratch",
        "the same network, newly initialised: what pre-training is compared with",
        pretrained=False,
        encoder_lr_factor=1.0,
    ),
    Transfer(
        "linear_probe",
        "the encoder stays as it is; an exact solver finds the head on its codes",
        pretrained=True,
        encoder_lr_factor=0.0,
        temper=False,
    ),
    Transfer(
        "fine_tune_slow",
        "the encoder learns at a share of the head's rate",
        pretrained=True,
        encoder_lr_factor=None,
    ),
    Transfer(
        "fine_tune", "the encoder learns at the head's rate", pretrained=True, encoder_lr_factor=1.0
    ),
):
    register(_method)
