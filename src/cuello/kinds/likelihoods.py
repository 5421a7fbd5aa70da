"""How probable a row is, given what the decoder says about it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello.errors import InputError, unknown
from cuello.kinds.gaussians import full_precision, log_density, soft_floor
from cuello.kinds.losses import Reconstruction

__all__ = ["LIKELIHOODS", "Likelihood"]

LIKELIHOODS = ("bernoulli", "gaussian")

_DECADE = 2.0 * math.log(10.0)  # of a standard deviation, in log-variance
_FIRST, _LOWEST = -1.0, -4.0  # decades below the range of the data


class Likelihood(nn.Module):
    """log p(x | z) of whole rows, in nats.

    Parameters
    ----------
    name : str
        ``bernoulli``, ``gaussian``, or ``auto``: Bernoulli where the loss is ``bce``, otherwise
        Gaussian.
    variance : float
        Of the Gaussian, the same for all elements, in squared units of the scaled data; 0 learns
        it, and keeps its standard deviation above (about) 1/10,000 of the range of the data.
    reconstruction : Reconstruction
        Loss, last activation and range of the data.

    Raises
    ------
    InputError
        If the loss is no likelihood, or the options do not fit one another.

    Notes
    -----
    Of targets between 0 and 1 the Bernoulli's value is the cross-entropy, which bounds no
    probability; round grey values, or draw from them, where likelihoods are to be compared.

    Examples
    --------
    >>> fair = Likelihood("bernoulli", 0.0, Reconstruction(loss="bce"))
    >>> round(fair(torch.zeros(1, 3), torch.tensor([[0.0, 1.0, 1.0]])).item(), 4)  # 3 ln 0.5
    -2.0794
    """

    decades: nn.Parameter | None
    """Learned: log10 of the standard deviation, as a share of the range of the data.

    In these units Adam at its usual rate crosses several of them in one training, which it would
    not in units of log-variance.
    """

    def __init__(self, name: str, variance: float, reconstruction: Reconstruction) -> None:
        super().__init__()
        self.name = _choose(name, variance, reconstruction)
        self.variance = variance
        self.reconstruction = reconstruction
        learned = self.name == "gaussian" and variance == 0.0
        self.decades = nn.Parameter(torch.tensor(_FIRST)) if learned else None

    @property
    def log_variance(self) -> Tensor:
        """Log-variance of the Gaussian, a scalar."""
        if self.decades is None:
            return torch.tensor(math.log(self.variance), dtype=torch.float64)
        span = self.reconstruction.high - self.reconstruction.low
        return 2.0 * math.log(span) + soft_floor(_DECADE * self.decades, _DECADE * _LOWEST)

    def forward(self, sums: Tensor, x: Tensor) -> Tensor:
        """Return log p(x | z) of each row.

        Parameters
        ----------
        sums : Tensor
            (..., B, *row), the decoder's last sums, for one or more samples of z.
        x : Tensor
            (B, *row). Where ``reconstruction.missing``, elements that are NaN do not count.

        Returns
        -------
        Tensor
            (..., B), in nats, in float32 or float64.
        """
        sums, x = full_precision(sums), full_precision(x)
        known = None
        if self.reconstruction.missing:
            known, x = ~x.isnan(), x.nan_to_num()
        if self.name == "bernoulli":
            # From the sums, not from their sigmoid: no logarithm of zero.
            terms = -F.binary_cross_entropy_with_logits(sums, x.expand_as(sums), reduction="none")
        else:
            terms = log_density(x, self.reconstruction.activate(sums), self.log_variance)
        if known is not None:
            terms = terms * known
        return terms.flatten(sums.ndim - x.ndim + 1).sum(-1)


def _choose(name: str, variance: float, reconstruction: Reconstruction) -> str:
    if name not in (*LIKELIHOODS, "auto"):
        raise unknown("likelihood", name, [*LIKELIHOODS, "auto"])
    loss = reconstruction.loss
    if loss not in ("bce", "mse"):
        raise InputError(
            f"loss={loss!r} belongs to no likelihood that this kind has; use loss='mse' (Gaussian) "
            "or loss='bce' (Bernoulli, for data in 0..1), or loss='auto'."
        )
    if name == "bernoulli" and loss != "bce":
        raise InputError(
            f"likelihood='bernoulli' needs loss='bce', and data in 0..1; here loss={loss!r}; use "
            "loss='bce' with scaling='minmax', or likelihood='gaussian'."
        )
    if name == "auto":
        name = "bernoulli" if loss == "bce" else "gaussian"
    if not 0.0 <= variance < math.inf:
        raise InputError(f"variance={variance!r} must be above 0, or 0 to learn it from the data.")
    if name == "bernoulli" and variance > 0.0:
        raise InputError(
            f"variance={variance!r} is one of the Gaussian, but the likelihood is Bernoulli; use "
            "likelihood='gaussian', or leave variance at 0."
        )
    return name
