"""Parts of the ladder network: layers normalised over a batch, and lateral connections.

Shapes: B samples of a batch, I inputs and D units of a layer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = [
    "Combinator",
    "LadderLayer",
    "Normal",
    "Statistics",
    "combine",
    "denoising_distance",
    "normalise",
]

EPS = 1e-5
"""Added to every variance, as in PyTorch's batch normalisation."""

_MOMENTUM = 0.1


class Normal(NamedTuple):
    """Sums of a layer, normalised over the batch, with the mean and scale they had."""

    z: Tensor
    """(B, D)."""
    mean: Tensor
    """(D,)."""
    scale: Tensor
    """(D,), one over the standard deviation."""


class _Normalise(torch.autograd.Function):
    """PyTorch's fused normalisation, whose statistics have gradients too.

    ``torch.var_mean`` would make a whole step about a quarter longer on a processor.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.native_batch_norm(sums, None, None, None, None, True, 0.0, EPS)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, ...]) -> None:
        ctx.save_for_backward(inputs[0], *output[1:])
        ctx.set_materialize_grads(False)  # no gradient reaches mean and scale of noisy samples

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, g_z: Tensor | None, g_mean: Tensor | None, g_scale: Tensor | None
    ) -> Tensor:
        sums, mean, scale = ctx.saved_tensors
        if g_z is None:
            g_sums = torch.zeros_like(sums)
        else:
            g_sums, _, _ = torch.ops.aten.native_batch_norm_backward(
                g_z, sums, None, None, None, mean, scale, True, EPS, [True, False, False]
            )
        if g_mean is not None:
            g_sums = g_sums.add_(g_mean / len(sums))
        if g_scale is not None:
            # scale = (variance + EPS)^(-1/2), so d scale / d sums = -scale^3 (sums - mean) / B.
            g_sums = g_sums.addcmul_(sums - mean, g_scale * scale**3 / -len(sums))
        return g_sums


def normalise(sums: Tensor) -> Normal:
    """Give each unit mean 0 and variance 1 over the samples, in float32 at least.

    Parameters
    ----------
    sums : Tensor
        (B, D).

    Examples
    --------
    >>> normalise(torch.tensor([[1.0], [3.0]])).mean
    tensor([2.])
    """
    if sums.dtype != torch.float64:
        sums = sums.float()
    return Normal(*_Normalise.apply(sums.contiguous()))  # type: ignore[no-untyped-call]


def combine(z: Tensor, u: Tensor, a: Tensor) -> Tensor:
    """Estimate a clean value from the noisy one and from the layer above.

    ``(z - m) v + m`` with ``m = a1 sigmoid(a2 u + a3) + a4 u + a5`` and
    ``v = a6 sigmoid(a7 u + a8) + a9 u + a10``: the best guess where z is Gaussian given u.

    Parameters
    ----------
    z : Tensor
        (B, D), with noise.
    u : Tensor
        (B, D), from above.
    a : Tensor
        (10, D).
    """
    a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = a
    mean = a1 * torch.sigmoid(a2 * u + a3) + a4 * u + a5
    gain = a6 * torch.sigmoid(a7 * u + a8) + a9 * u + a10
    return torch.addcmul(mean, z - mean, gain)


def denoising_distance(clean: Normal, denoised: Tensor) -> Tensor:
    """Return the mean square of ``z - (denoised - mean) scale``, a scalar.

    Parameters
    ----------
    clean : Normal
        (B, D).
    denoised : Tensor
        (B, D), on the scale of the sums.
    """
    return F.mse_loss((denoised - clean.mean) * clean.scale, clean.z)


class Statistics(nn.Module):
    """Mean and variance of each unit for use on single samples: averages over the last batches.

    Parameters
    ----------
    units : int
        Number of units (D).
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, units: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("variance", torch.ones(units))

    @torch.no_grad()
    def update(self, batch: Normal) -> None:
        """Move towards the statistics of a batch, while training."""
        if self.training:
            self.mean.lerp_(batch.mean, _MOMENTUM)
            self.variance.lerp_(batch.scale**-2 - EPS, _MOMENTUM)

    def normal(self, sums: Tensor) -> Tensor:
        """Return sums (B, D) with mean 0 and variance 1 by these statistics."""
        return (sums - self.mean) * (self.variance + EPS).rsqrt()

    def sums(self, z: Tensor) -> Tensor:
        """Undo :meth:`normal`."""
        return z * (self.variance + EPS).sqrt() + self.mean


class LadderLayer(nn.Module):
    """A layer of the encoder: ``h = after(gain * (normal(linear(x)) + shift))``.

    Parameters
    ----------
    linear : nn.Module
        (B, I) -> (B, D); its bias is taken away, which the normalisation would undo.
    units : int
        D.
    after : nn.Module
        Activation, and what else comes after it.
    shift, gain : bool
        Whether there are any. Before a linear activation a shift does nothing, and before a ReLU a
        gain: the next layer's normalisation and weights undo them.
    """

    def __init__(
        self,
        linear: nn.Module,
        units: int,
        after: nn.Module,
        *,
        shift: bool = True,
        gain: bool = False,
    ) -> None:
        super().__init__()
        self.linear = _without_bias(linear)
        self.shift = nn.Parameter(torch.zeros(units)) if shift else None
        self.gain = nn.Parameter(torch.ones(units)) if gain else None
        self.after = after
        self.statistics = Statistics(units)

    def normal(self, x: Tensor) -> Tensor:
        """Return normalised sums (B, D): over the batch while training, else by the statistics."""
        sums = self.linear(x)
        if not self.training:
            return self.statistics.normal(sums)
        batch = normalise(sums)
        self.statistics.update(batch)
        return batch.z

    def activate(self, z: Tensor) -> Tensor:
        """Return (B, D) from normalised sums, noisy or not."""
        shifted = z if self.shift is None else z + self.shift
        h: Tensor = self.after(shifted if self.gain is None else self.gain * shifted)
        return h

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, D), without noise."""
        return self.activate(self.normal(x))


class Combinator(nn.Module):
    """A layer of the decoder, which joins the layer above and the same layer of the encoder.

    Parameters
    ----------
    linear : nn.Module or None
        From the layer above; None at the top.
    units : int
        D.
    """

    def __init__(self, linear: nn.Module | None, units: int) -> None:
        super().__init__()
        self.linear = nn.Identity() if linear is None else _without_bias(linear)
        self.statistics = Statistics(units)
        start = torch.zeros(10, units)
        start[[1, 6, 9]] = 1.0
        self.a = nn.Parameter(start)

    def denoise(self, above: Tensor, z: Tensor) -> Tensor:
        """Return (B, D) from the layer above and noisy values (B, D)."""
        batch = normalise(self.linear(above))
        self.statistics.update(batch)
        return combine(z, batch.z, self.a)

    def forward(self, above: Tensor) -> Tensor:
        """Return the mean (B, D) that the layer above suggests, without a noisy value."""
        u = self.statistics.normal(self.linear(above))
        a1, a2, a3, a4, a5 = self.a[:5]
        mean: Tensor = a1 * torch.sigmoid(a2 * u + a3) + a4 * u + a5
        return mean


def _without_bias(linear: nn.Module) -> nn.Module:
    linear.register_parameter("bias", None)
    return linear
