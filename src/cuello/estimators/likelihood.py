"""Likelihoods of samples, for the kinds that have one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from cuello.arrays import Array, Floats
from cuello.errors import InputError
from cuello.estimators.inputs import check_whole, mention_kinds
from cuello.estimators.network import TrainedNetwork
from cuello.kinds import KINDS

__all__ = ["HasLikelihood", "sample_log_likelihood", "has_likelihood"]

_AT_ONCE = 256  # samples; the module decodes as many draws of them together as fit


@runtime_checkable
class HasLikelihood(Protocol):
    """A kind that can tell how probable a sample is."""

    def log_likelihood(self, x: Tensor, samples: int) -> Tensor:
        """Estimate log p(x) of each sample (B, ...), in nats, shape (B,)."""


@torch.no_grad()
def sample_log_likelihood(network: TrainedNetwork, X: Array, draws: int, seed: int) -> Floats:
    """Estimate log p(x) of each checked sample; see ``Autoencoder.log_likelihood``."""
    module = network.module
    if not isinstance(module, HasLikelihood):
        able = mention_kinds(lambda kind: hasattr(kind, "log_likelihood"))
        raise InputError(
            "gives samples no likelihood",
            argument="kind",
            value=network.kind,
            remedy=["use ", *able, ", or score_samples for reconstruction errors"],
        )
    draws = check_whole("samples", draws)
    out = np.empty(len(X))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # and no GPU's generator
        for start in range(0, len(X), _AT_ONCE):
            x = network.scale(X[start : start + _AT_ONCE])
            out[start : start + _AT_ONCE] = module.log_likelihood(x, draws).numpy()
    return out


def has_likelihood(kind: str) -> bool:
    """Return whether a kind gives samples a likelihood."""
    return hasattr(KINDS[kind], "log_likelihood")
