"""Reconstruction losses, and the last activations that go with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from cuello.errors import Argument, InputError, Use, unknown
from cuello.registry import Registry

__all__ = ["LOSSES", "OUTPUTS", "Output", "ReconstructionLoss", "full_precision"]


def full_precision(a: Tensor) -> Tensor:
    """Return ``a`` in float32, or as it is in float64: sums over elements need the digits."""
    return a if a.dtype == torch.float64 else a.float()


@dataclass(frozen=True)
class Output:
    """A last activation, and the interval that it can reach: no target outside can ever be met."""

    activate: Callable[[Tensor], Tensor]
    low: float = -inf
    high: float = inf


OUTPUTS: Registry[Output] = Registry("output_activation")
"""Last activations by name."""
OUTPUTS.add("identity", Output(lambda a: a))
OUTPUTS.add("sigmoid", Output(torch.sigmoid, 0.0, 1.0))
OUTPUTS.add("tanh", Output(torch.tanh, -1.0, 1.0))
OUTPUTS.add("relu", Output(torch.relu, 0.0))
OUTPUTS.add("softplus", Output(F.softplus, 0.0))

_REDUCTIONS = ("mean", "sum")

_MAPE_FLOOR = 1e-2  # keeps |error| / |target| finite where a target is (nearly) zero


def _mape(output: Tensor, target: Tensor, reduction: str) -> Tensor:
    share = (output - target).abs() / target.abs().clamp_min(_MAPE_FLOOR)
    return share if reduction == "none" else share.mean() if reduction == "mean" else share.sum()


def _gaussian(output: Tensor, target: Tensor, reduction: str) -> Tensor:
    """Return minus the log-likelihood under a Gaussian of variance 1."""
    variance = torch.ones_like(output)
    return F.gaussian_nll_loss(output, target, variance, full=True, reduction=reduction)


LOSSES: Registry[Callable[..., Tensor]] = Registry("loss")
"""Distances by name: ``loss(output, target, reduction=...)``, a number an element for ``"none"``.

The cross-entropy takes sums before the sigmoid. Reducing in the same call is one pass over the
elements, reducing afterwards is three.
"""
LOSSES.add("mse", F.mse_loss, aliases=("l2",))
LOSSES.add("mae", F.l1_loss, aliases=("l1",))
LOSSES.add("gaussian", _gaussian)
LOSSES.add("huber", F.huber_loss)
LOSSES.add("mape", _mape)
LOSSES.add("bce", F.binary_cross_entropy_with_logits, aliases=("bernoulli",))


@dataclass(frozen=True, kw_only=True)
class ReconstructionLoss:
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
        ``mean`` over samples and elements, or ``sum`` over elements and mean over samples.
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
    >>> fit = ReconstructionLoss(loss="bce", low=0.0, high=1.0)
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
        if self.reduction not in _REDUCTIONS:
            raise unknown("reduction", self.reduction, _REDUCTIONS)
        in_unit = self.low >= 0.0 and self.high <= 1.0
        automatic = "sigmoid" if in_unit else "identity"
        output = OUTPUTS.resolve(automatic if self.output == "auto" else self.output)
        automatic = "bce" if in_unit and output == "sigmoid" else "mse"
        loss = LOSSES.resolve(automatic if self.loss == "auto" else self.loss)
        object.__setattr__(self, "loss", loss)
        object.__setattr__(self, "output", output)
        data = f"the scaled data lies in {self.low:.4g}..{self.high:.4g}"
        if loss == "bce" and not (in_unit and output == "sigmoid"):
            scaled = (Use("scaling", "minmax"), " with ", Argument("output_activation", "auto"))
            raise InputError(
                f"needs data in 0..1 and a sigmoid output; {data} and the output is {output!r}",
                argument="loss",
                value=loss,
                remedy=(*scaled, ", or ", Argument("loss", "mse")),
            )
        if output == "tanh" and self.low >= 0.0:
            raise InputError(
                f"reaches -1..1 but {data}, so half of it would never be used",
                argument="output_activation",
                value=output,
                remedy=(
                    Use("scaling", "symmetric"),
                    ", or ",
                    Argument("output_activation", "auto"),
                ),
            )
        reach = OUTPUTS[output]
        if self.low < reach.low or self.high > reach.high:
            raise InputError(
                f"reaches {reach.low:g}..{reach.high:g} but {data}",
                argument="output_activation",
                value=output,
                remedy=(Use("output_activation", "auto"), ", or another ", Argument("scaling")),
            )

    def activate(self, a: Tensor) -> Tensor:
        """Return values in the data's range from the decoder's last sums."""
        return OUTPUTS[self.output].activate(a)

    def __call__(self, a: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss of the decoder's last sums ``a`` (B, ...) against the target, a scalar.

        Elements count by their weight, and not where the target is NaN; the mean is over what
        counts. Cross-entropy is taken from the sums, not from their sigmoid: no logarithm of zero.
        """
        a = full_precision(a)
        if self.missing:
            present = ~target.isnan()
            target = target.nan_to_num()
            weight = present.to(a.dtype) if weight is None else weight * present
        output = a if self.loss == "bce" else self.activate(a)
        compute = LOSSES[self.loss]
        if weight is None:
            total = compute(output, target, reduction=self.reduction)
            return total if self.reduction == "mean" else total / len(a)
        total = (compute(output, target, reduction="none") * weight).sum()
        return total / (weight.sum().clamp_min(1) if self.reduction == "mean" else len(a))
