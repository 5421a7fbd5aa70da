"""Missing elements of rows, filled with what the rest of the row says about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cuello.errors import InputError
from cuello.estimators.batches import in_batches
from cuello.kinds import KINDS
from cuello.kinds.gaussians import Posterior
from cuello.kinds.likelihoods import Likelihood

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = ["impute"]

_STEPS = 20  # towards the fixed point
_STEPS_RESTORED = 1  # where the first filling is good already, more steps only wander off
_SETTLED = 1e-3  # largest change of a step, in units of the range of the scaled data
_BURN_IN = 20  # sweeps before the first draw
_APART = 10  # sweeps between draws


@runtime_checkable
class HasPosterior(Protocol):
    """A kind whose code is a distribution, and whose rows have a likelihood."""

    likelihood: Likelihood

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean and log-variance of q(z | x)."""


def impute(
    model: Autoencoder, X: npt.NDArray[Any], draws: int, seed: int
) -> npt.NDArray[np.float32]:
    """Fill checked rows, whose missing elements are NaN; see ``Autoencoder.impute``."""
    if draws < 1 or draws != int(draws):
        raise InputError(f"draws={draws!r} must be a whole number from 1 on.")
    if draws > 1 and not isinstance(model.module_, HasPosterior):
        able = " or ".join(f"kind={n!r}" for n in sorted(KINDS) if hasattr(KINDS[n], "posterior"))
        raise InputError(
            f"draws={draws}: kind={model.kind!r} has one answer for each row, so draws would all "
            f"be the same; use draws=1, or fit {able}."
        )
    out = np.stack([np.asarray(X, dtype=np.float32)] * int(draws))
    holes = np.isnan(out[0])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # and no GPU's generator
        rows = np.flatnonzero(holes.reshape(len(X), -1).any(axis=1))
        scaled = in_batches(
            len(rows),
            lambda a, b: _filled(model, X[rows[a:b]], int(draws)),
            (int(draws), *model.shape_),
        )
    for place in range(len(out)):
        whole = model.scaling_.invert(np.ascontiguousarray(scaled[:, place]))
        out[place, rows] = np.where(holes[rows], whole, out[place, rows])
    return out[0] if draws == 1 else out


def _filled(model: Autoencoder, X: npt.NDArray[Any], draws: int) -> Tensor:
    """Return the filled scaled rows (B, draws, ...)."""
    x = torch.from_numpy(model.scaling_.apply(X))
    hole = x.isnan()
    module = model.module_
    mean = module.decode(torch.from_numpy(model.embedding_mean_)[None])

    def keep(filling: Tensor) -> Tensor:
        return torch.where(hole, filling, x)

    filled, steps = keep(mean.expand_as(x)), _STEPS
    if KINDS[model.kind].restores:
        # As in its training: what is missing is 0, and the rest is raised by what it lacks.
        share = (~hole).flatten(1).float().mean(dim=1).clamp_min(1e-3)
        raised = x.nan_to_num() / share.view(-1, *[1] * (x.ndim - 1))
        filled, steps = keep(module.reconstruct(raised)), _STEPS_RESTORED
    span = max(model.scaling_.high - model.scaling_.low, 1e-12)
    for _ in range(steps):
        before, filled = filled, keep(module.reconstruct(filled))
        if float((filled - before).abs().max()) < _SETTLED * span:
            break
    if draws == 1:
        return filled[:, None]
    drawn = []
    for sweep in range(_BURN_IN + _APART * (draws - 1) + 1):
        filled = keep(_sweep(module, filled))
        if sweep >= _BURN_IN and (sweep - _BURN_IN) % _APART == 0:
            drawn.append(filled)
    return torch.stack(drawn, dim=1)


def _sweep(module: Any, x: Tensor) -> Tensor:
    """Draw a code of each row, and a row of that code."""
    mean, log_variance = module.posterior(x)
    back: Tensor = module.decode(mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean))
    if module.likelihood.name == "gaussian":
        spread = torch.exp(0.5 * module.likelihood.log_variance).to(back)
        back = back + spread * torch.randn_like(back)
    return back
