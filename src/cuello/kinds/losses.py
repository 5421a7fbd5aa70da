"""How far a reconstruction is from its target, and the last activation that goes with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cuello.errors import InputError, unknown

__all__ = ["LOSSES", "LOSS_NAMES", "OUTPUTS", "REDUCTIONS", "Reconstruction"]

OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda a: a,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": F.softplus,
}

# The interval that each output can reach; a target outside it can never be met.
_REACH: dict[str, tuple[float, float]] = {
    "identity": (-float("inf"), float("inf")),
    "sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, float("inf")),
    "softplus": (0.0, float("inf")),
}

REDUCTIONS = ("mean", "sum")

_MAPE_FLOOR = 1e-2  # keeps |error| / |target| finite where a target is (nearly) zero


def _mape(output: Tensor, target: Tensor, reduction: str) -> Tensor:
    share = (output - target).abs() / target.abs().clamp_min(_MAPE_FLOOR)
    return share if reduction == "none" else share.mean() if reduction == "mean" else share.sum()


# (output, target, reduction) -> scalar, or a number an element for "none"; bce takes sums before
# the sigmoid. PyTorch's own reduction is one pass over the elements, reducing afterwards is three.
LOSSES: dict[str, Callable[[Tensor, Tensor, str], Tensor]] = {
    "mse": lambda output, target, config: F.mse_loss(output, target, reduction=config),
    "mae": lambda output, target, config: F.l1_loss(output, target, reduction=config),
    "gaussian": lambda output, target, config: F.gaussian_nll_loss(
        output, target, torch.ones_like(output), full=True, reduction=config
    ),
    "huber": lambda output, target, config: F.huber_loss(output, target, reduction=config),
    "mape": _mape,
    "bce": lambda sums, target, config: F.binary_cross_entropy_with_logits(
        sums, target, reduction=config
    ),
}


# Other names that the same losses go by.
_ALSO = {"l1": "mae", "l2": "mse", "bernoulli": "bce"}


LOSS_NAMES = ("auto", *LOSSES, *_ALSO)
"""All that ``loss`` may be."""


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """A loss by name, the last activation, and the range of the (scaled) data.

    Parameters
    ----------
    loss : str
        ``mse`` (or ``l2``), ``mae`` (or ``l1``), ``huber`` (delta 1), ``mape`` (targets below 0.01
        in size count as 0.01), ``bce`` (binary cross-entropy, or ``bernoulli``: on targets in
        [0, 1] with a sigmoid output) or ``gaussian`` (minus the log-likelihood in nats, variance
        1); ``auto`` is ``bce`` where it can be had and ``mse`` otherwise.
    output : str
        Last activation, or ``auto``: sigmoid for data in [0, 1], otherwise identity.
    reduction : str
        ``mean`` over rows and elements, or ``sum`` over elements and mean over rows.
    low, high : float
        Smallest and largest value of the data after scaling.
    missing : bool
        Whether targets may hold NaN, which then do not count: the end of a short sequence.

    Raises
    ------
    InputError
        If loss, output and range cannot work together.

    Examples
    --------
    >>> fit = Reconstruction(loss="bce", low=0.0, high=1.0)
    >>> fit.output
    'sigmoid'
    >>> round(fit(torch.zeros(2, 4), torch.ones(2, 4)).item(), 4)  # -ln 0.5
    0.6931
    """

    loss: str = "auto"
    output: str = "auto"
    reduction: str = "mean"
    low: float = 0.0
    high: float = 1.0
    missing: bool = False

    def __post_init__(self) -> None:
        if self.loss not in LOSS_NAMES:
            raise unknown("loss", self.loss, LOSS_NAMES)
        object.__setattr__(self, "loss", _ALSO.get(self.loss, self.loss))
        if self.output not in (*OUTPUTS, "auto"):
            raise unknown("output_activation", self.output, [*OUTPUTS, "auto"])
        if self.reduction not in REDUCTIONS:
            raise unknown("reduction", self.reduction, REDUCTIONS)
        in_unit = self.low >= 0.0 and self.high <= 1.0
        if self.output == "auto":
            object.__setattr__(self, "output", "sigmoid" if in_unit else "identity")
        if self.loss == "auto":
            fits = in_unit and self.output == "sigmoid"
            object.__setattr__(self, "loss", "bce" if fits else "mse")
        if self.loss == "bce" and not (in_unit and self.output == "sigmoid"):
            raise InputError(
                f"loss='bce' needs data in 0..1 and a sigmoid output; the scaled data lies in "
                f"{self.low:.4g}..{self.high:.4g} and the output is {self.output!r}; use "
                "scaling='minmax' with output_activation='auto', or loss='mse'."
            )
        if self.output == "tanh" and self.low >= 0.0:
            raise InputError(
                f"output_activation='tanh' reaches -1..1 but the scaled data lies in "
                f"{self.low:.4g}..{self.high:.4g}, so half of it would never be used; use "
                "scaling='symmetric', or output_activation='auto'."
            )
        lowest, highest = _REACH[self.output]
        if self.low < lowest or self.high > highest:
            raise InputError(
                f"output_activation={self.output!r} reaches {lowest:g}..{highest:g} but the scaled "
                f"data lies in {self.low:.4g}..{self.high:.4g}; use output_activation='auto', or "
                "another scaling."
            )

    def activate(self, a: Tensor) -> Tensor:
        """Turn the decoder's last sums into values in the data's range."""
        return OUTPUTS[self.output](a)

    def __call__(self, a: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss of the decoder's last sums ``a`` against the target, a scalar.

        Cross-entropy is taken from the sums, not from their sigmoid: no logarithm of zero.

        Parameters
        ----------
        a, target : Tensor
            (B, ...).
        weight : Tensor or None
            (B, ...), how much each element counts; the mean is over what counts. Elements whose
            target is NaN never count.
        """
        if a.dtype != torch.float64:
            a = a.float()  # summed in float32 at least, whatever the network computes in
        if self.missing:
            known = ~target.isnan()
            target = target.nan_to_num()
            weight = known.to(a.dtype) if weight is None else weight * known
        output = a if self.loss == "bce" else self.activate(a)
        if weight is None:
            total = LOSSES[self.loss](output, target, self.reduction)
            return total if self.reduction == "mean" else total / len(a)
        total = (LOSSES[self.loss](output, target, "none") * weight).sum()
        return total / (weight.sum().clamp_min(1) if self.reduction == "mean" else len(a))
