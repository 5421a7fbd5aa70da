"""Findings on a trained module that every kind can have: it learned nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.arrays import Float32s
from cuello.estimators.network import in_batches
from cuello.kinds import AutoencoderModule, Diagnosis

__all__ = ["at_most", "examine_module"]

_EXAMINED_SAMPLES = 10_000
_DIAGNOSED_ELEMENTS = 2_000_000
"""A kind diagnoses all samples at once, which takes many times their memory."""
_CONSTANT = 1e-5
"""Deviation of embeddings, as a share of their size, that rounding alone may cause."""


@torch.no_grad()
def examine_module(module: AutoencoderModule, x: Tensor, rate: float) -> tuple[Float32s, Diagnosis]:
    """Return embeddings of scaled training samples (n, ...), and how well they were learned.

    That is what the kind says of its module, the variance it explains, and whether it learned
    nothing; ``rate`` is the learning rate to lower then. Up to 10,000 samples are examined.
    """
    x = x[:_EXAMINED_SAMPLES]
    embeddings = in_batches(len(x), lambda a, b: module.encode(x[a:b]), (module.latent_dim,))
    x = at_most(x, x[0].numel())
    statistics, findings = module.diagnose(x)
    present = ~x.isnan()
    back, filled = module.reconstruct(x), x.nan_to_num()
    mean = filled.sum(dim=0) / present.sum(dim=0).clamp(min=1)
    error = float((filled - back)[present].square().mean())
    variance = float((filled - mean)[present].square().mean())
    explained = 1.0 - error / variance if variance > 0.0 else 0.0
    lower = f"learning_rate={float(f'{rate / 10:g}')}, more epochs, or batch_norm=True"
    size = np.abs(embeddings).max(initial=0.0)
    if variance > 0.0 and embeddings.std(axis=0).max() <= _CONSTANT * size:
        text = f"every sample has the same embedding: nothing was learned; try {lower}"
        findings = findings or [text]  # a kind knows more of its latents
    elif variance > 0.0 and explained <= 0.0:
        text = (
            "reconstructions are no better than the mean of each feature (explained variance "
            f"{explained:.3f}); try {lower}"
        )
        findings = [*findings, text]
    return embeddings, Diagnosis({"explained_variance": explained, **statistics}, findings)


def at_most(samples: Any, elements: int) -> Any:
    """Return the first samples, of so many elements each: two million elements in all."""
    return samples[: max(256, _DIAGNOSED_ELEMENTS // elements)]
