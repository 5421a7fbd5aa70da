"""Missing elements of samples, filled from the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.arrays import Array, Float32s
from cuello.errors import Argument, InputError, Use
from cuello.estimators.inputs import check_whole, mention_kinds
from cuello.estimators.network import TrainedNetwork, in_batches
from cuello.seeding import seeded

__all__ = ["fill_missing"]

_FIXED_POINT_STEPS = 20  # towards the fixed point
_STEPS_RESTORED = 1  # where the first filling is good already, more steps only wander off
_FIXED_POINT_TOLERANCE = 1e-3  # largest change of a step, in units of the range of the scaled data
_BURN_IN = 20  # sweeps before the first draw
_APART = 10  # sweeps between draws


def fill_missing(
    network: TrainedNetwork, X: Array, draws: int, seed: int, *, mean: Float32s
) -> Float32s:
    """Fill checked samples, whose missing elements are NaN; see ``Autoencoder.impute``.

    ``mean`` (K,) is the mean embedding of the training samples, where the filling begins.
    """
    draws = check_whole("draws", draws)
    if draws > 1 and not hasattr(network.module, "posterior"):
        able = mention_kinds("posterior")
        raise InputError(
            [
                "is too many: ",
                Argument("kind", network.kind),
                " has one answer for each sample, so draws would all be the same",
            ],
            argument="draws",
            value=draws,
            remedy=[Use("draws", 1), ", or fit ", *able],
        )
    out = np.stack([np.asarray(X, dtype=network.scaling.dtype)] * draws)
    missing = np.isnan(out[0])
    with seeded(seed):
        some = np.flatnonzero(missing.reshape(len(X), -1).any(axis=1))
        scaled = in_batches(
            len(some),
            lambda a, b: _fill_batch(network, X[some[a:b]], draws, torch.from_numpy(mean)),
            (draws, *network.shape),
        )
    for draw in range(len(out)):
        complete = network.scaling.invert(np.ascontiguousarray(scaled[:, draw]))
        out[draw, some] = np.where(missing[some], complete, out[draw, some])
    return out[0] if draws == 1 else out


def _fill_batch(network: TrainedNetwork, X: Array, draws: int, mean: Tensor) -> Tensor:
    """Return the filled scaled samples (B, draws, ...)."""
    x = network.scale(X)
    missing = x.isnan()
    module: Any = network.module

    def keep(filling: Tensor) -> Tensor:
        return torch.where(missing, filling, x)

    filled, steps = keep(module.decode(mean[None]).expand_as(x)), _FIXED_POINT_STEPS
    if module.restores:
        # As in its training: what is missing is 0, and the rest is raised by what it lacks.
        share = (~missing).flatten(1).float().mean(dim=1).clamp_min(1e-3)
        raised = x.nan_to_num() / share.view(-1, *[1] * (x.ndim - 1))
        filled, steps = keep(module.reconstruct(raised)), _STEPS_RESTORED
    span = max(network.scaling.high - network.scaling.low, 1e-12)
    for _ in range(steps):
        before, filled = filled, keep(module.reconstruct(filled))
        if float((filled - before).abs().max()) < _FIXED_POINT_TOLERANCE * span:
            break
    if draws == 1:
        return filled[:, None]
    drawn = []
    for sweep in range(_BURN_IN + _APART * (draws - 1) + 1):
        # An embedding of each sample is drawn, and a sample of that embedding.
        location, log_variance = module.posterior(filled)
        z = location + torch.exp(0.5 * log_variance) * torch.randn_like(location)
        decoded: Tensor = module.decode(z)
        if module.likelihood.name == "gaussian":
            deviation = torch.exp(0.5 * module.likelihood.log_variance).to(decoded)
            decoded = decoded + deviation * torch.randn_like(decoded)
        filled = keep(decoded)
        if sweep >= _BURN_IN and (sweep - _BURN_IN) % _APART == 0:
            drawn.append(filled)
    return torch.stack(drawn, dim=1)
