"""Likelihoods of rows under a fitted autoencoder, for the kinds that have one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cuello.errors import InputError
from cuello.kinds import KINDS

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = ["HasLikelihood", "log_likelihood"]

_ROWS = 256  # at a time; the module decodes as many samples of them together as fit


@runtime_checkable
class HasLikelihood(Protocol):
    """A kind that can tell how probable a row is."""

    def log_likelihood(self, x: Tensor, samples: int) -> Tensor:
        """Estimate log p(x) of each row (B, ...), in nats, shape (B,)."""


@torch.no_grad()
def log_likelihood(
    model: Autoencoder, X: npt.NDArray[Any], samples: int
) -> npt.NDArray[np.float64]:
    """Estimate log p(x) of each checked row; see ``Autoencoder.log_likelihood``."""
    module = model.module_
    if not isinstance(module, HasLikelihood):
        able = " or ".join(f"kind={n!r}" for n in sorted(KINDS) if has_likelihood(n))
        raise InputError(
            f"kind={model.kind!r} gives rows no likelihood; use {able}, or score_samples for "
            "reconstruction errors."
        )
    if samples < 1 or samples != int(samples):
        raise InputError(f"samples={samples!r} must be a whole number from 1 on; 200 is usual.")
    out = np.empty(len(X))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(model.training_config_.seed)  # and no GPU's generator
        for start in range(0, len(X), _ROWS):
            x = torch.from_numpy(model.scaling_.apply(X[start : start + _ROWS]))
            out[start : start + _ROWS] = module.log_likelihood(x, int(samples)).numpy()
    return out


def has_likelihood(kind: str) -> bool:
    return hasattr(KINDS[kind], "log_likelihood")
