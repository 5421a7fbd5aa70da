"""Likelihoods of samples, given what a decoder makes of latents."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cuello.errors import Argument, InputError, Use, unknown
from cuello.kinds.gaussians import full_precision, normal_log_density, soft_floor
from cuello.kinds.losses import ReconstructionLoss

__all__ = ["LIKELIHOODS", "DecoderLikelihood"]

LIKELIHOODS = ("auto", "bernoulli", "gaussian")

_DECADE = 2.0 * math.log(10.0)  # of a standard deviation, in log-variance
_FIRST, _LOWEST = -1.0, -4.0  # decades below the range of the data


class DecoderLikelihood(nn.Module):
    """log p(x | z) of whole samples, in nats.

    Parameters
    ----------
    name : str
        ``bernoulli``, ``gaussian``, or ``auto``: Bernoulli where the loss is ``bce``, otherwise
        Gaussian.
    variance : float
        Of the Gaussian, the same for all elements, in squared units of the scaled data; 0 learns
        it, and keeps its standard deviation above (about) 1/10,000 of the range of the data.
    reconstruction : ReconstructionLoss
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
    >>> fair = DecoderLikelihood("bernoulli", 0.0, ReconstructionLoss(loss="bce"))
    >>> round(fair(torch.zeros(1, 3), torch.tensor([[0.0, 1.0, 1.0]])).item(), 4)  # 3 ln 0.5
    -2.0794
    """

    decades: nn.Parameter | None
    """Learned: log10 of the standard deviation, as a share of the range of the data.

    In these units Adam at its usual rate crosses several of them in one training, which it would
    not in units of log-variance.
    """

    def __init__(self, name: str, variance: float, reconstruction: ReconstructionLoss) -> None:
        super().__init__()
        self.name = _resolve(name, variance, reconstruction)
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
        """Return log p(x | z) of each sample.

        Parameters
        ----------
        sums : Tensor
            (..., B, *shape), the decoder's last sums, for one or more draws of z.
        x : Tensor
            (B, *shape). Where ``reconstruction.missing``, elements that are NaN do not count.

        Returns
        -------
        Tensor
            (..., B), in nats, in float32 or float64.
        """
        sums, x = full_precision(sums), full_precision(x)
        present = None
        if self.reconstruction.missing:
            present, x = ~x.isnan(), x.nan_to_num()
        if self.name == "bernoulli":
            # From the sums, not from their sigmoid: no logarithm of zero.
            terms = -F.binary_cross_entropy_with_logits(sums, x.expand_as(sums), reduction="none")
        else:
            terms = normal_log_density(x, self.reconstruction.activate(sums), self.log_variance)
        if present is not None:
            terms = terms * present
        return terms.flatten(sums.ndim - x.ndim + 1).sum(-1)


def _resolve(name: str, variance: float, reconstruction: ReconstructionLoss) -> str:
    """Return ``bernoulli`` or ``gaussian``, if it goes with the loss and the variance."""
    if name not in LIKELIHOODS:
        raise unknown("likelihood", name, LIKELIHOODS)
    loss = reconstruction.loss
    if loss not in ("bce", "mse"):
        raise InputError(
            "is no likelihood that this kind has",
            argument="loss",
            value=loss,
            remedy=(
                Use("loss", "mse"),
                " (Gaussian), ",
                Argument("loss", "bce"),
                " (Bernoulli, for data in 0..1), or ",
                Argument("loss", "auto"),
            ),
        )
    if name == "bernoulli" and loss != "bce":
        raise InputError(
            ("needs ", Argument("loss", "bce"), " and data in 0..1, not ", Argument("loss", loss)),
            argument="likelihood",
            value=name,
            remedy=(
                Use("loss", "bce"),
                " with ",
                Argument("scaling", "minmax"),
                ", or ",
                Argument("likelihood", "gaussian"),
            ),
        )
    if name == "auto":
        name = "bernoulli" if loss == "bce" else "gaussian"
    if name == "bernoulli" and variance > 0.0:
        raise InputError(
            "is a variance of the Gaussian, but the likelihood is Bernoulli",
            argument="variance",
            value=variance,
            remedy=(Use("likelihood", "gaussian"), ", or ", Argument("variance", 0.0)),
        )
    return name
