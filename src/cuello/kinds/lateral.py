"""What the ladder network is made of: layers normalised over a batch, and lateral connections.

Shapes: B rows of a batch, I inputs and D units of a layer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["Combinator", "Layer", "Normal", "Statistics", "combine", "distance", "normalise"]

EPS = 1e-5
"""Added to every variance, as in PyTorch's batch normalisation."""

_MOMENTUM = 0.1


class Normal(NamedTuple):
    """Sums of a layer with mean 0 and variance 1 over the batch, and what they were before."""

    z: Tensor
    """(B, D)."""
    mean: Tensor
    """(D,)."""
    scale: Tensor
    """(D,), one over the standard deviation."""


class _Normalise(torch.autograd.Function):
    """PyTorch's fused normalisation, whose statistics have gradients too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.native_batch_norm(sums, None, None, None, None, True, 0.0, EPS)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, ...]) -> None:
        ctx.save_for_backward(inputs[0], *output[1:])
        ctx.set_materialize_grads(False)  # mean and scale of noisy rows are not asked for

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
    """Give each unit mean 0 and variance 1 over the rows, in float32 at least.

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


class _Combine(torch.autograd.Function):
    """The combinator; its gradient computes again what it needs, and keeps inputs alone.

    Mean and gain are one expression in parameters of their own: both are computed at once, as (2,
    B, D).
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, u: Tensor, a: Tensor) -> Tensor:
        a1, a2, a3, a4, a5 = _pairs(a)
        sigmoid = torch.addcmul(a3, a2, u).sigmoid_()
        mean, gain = torch.addcmul(a5, a4, u).addcmul_(a1, sigmoid)
        return torch.addcmul(mean, z - mean, gain)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, u, a = ctx.saved_tensors
        a1, a2, a3, a4, a5 = _pairs(a)
        sigmoid = torch.addcmul(a3, a2, u).sigmoid_()
        mean, gain = torch.addcmul(a5, a4, u).addcmul_(a1, sigmoid)
        g_z = g * gain
        g_pair = torch.stack([g - g_z, (z - mean).mul_(g)])
        g_a1 = g_pair * sigmoid
        inside = torch.addcmul(g_a1, g_a1, sigmoid, value=-1.0)  # g s (1 - s)
        g_u = (g_pair * a4).addcmul_(inside, a1 * a2).sum(0)
        factor = a1.squeeze(1)
        g_a = [
            g_a1.sum(1),
            factor * (inside * u).sum(1),
            factor * inside.sum(1),
            (g_pair * u).sum(1),
            g_pair.sum(1),
        ]
        return g_z, g_u, torch.stack(g_a, 1).flatten(0, 1)


def _pairs(a: Tensor) -> Iterable[Tensor]:
    """Return a1 and a6, a2 and a7, ... as (2, 1, D) each."""
    return a.view(2, 5, 1, -1).unbind(1)


def combine(z: Tensor, u: Tensor, a: Tensor) -> Tensor:
    """Return what a noisy value was, judged by the value and by what the layer above makes of it.

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
    denoised: Tensor = _Combine.apply(z, u, a)  # type: ignore[no-untyped-call]
    return denoised


class _Distance(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, mean: Tensor, scale: Tensor, denoised: Tensor) -> tuple[Tensor, Tensor]:
        difference = torch.addcmul(z, denoised - mean, scale, value=-1.0)
        return difference.square().mean(), difference

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(inputs[0], inputs[2], output[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, _: Tensor) -> tuple[Tensor, ...]:
        z, scale, difference = ctx.saved_tensors
        g_z = difference * (2.0 * g / difference.numel())
        g_denoised = g_z * -scale
        # (denoised - mean) scale is z - difference.
        g_scale = ((difference - z).mul_(g_z)).sum(0) / scale
        return g_z, -g_denoised.sum(0), g_scale, g_denoised


def distance(clean: Normal, denoised: Tensor) -> Tensor:
    """Return the mean square of ``z - (denoised - mean) scale``, a scalar.

    Parameters
    ----------
    clean : Normal
        (B, D).
    denoised : Tensor
        (B, D), on the scale of the sums.
    """
    loss: Tensor = _Distance.apply(*clean, denoised)[0]  # type: ignore[no-untyped-call]
    return loss


class Statistics(nn.Module):
    """Mean and variance of each unit, kept for single rows: averages over the last batches.

    Parameters
    ----------
    units : int
        How many (D).
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, units: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("variance", torch.ones(units))

    @torch.no_grad()
    def note(self, batch: Normal) -> None:
        """Move towards the statistics of a batch, while training."""
        if self.training:
            self.mean.lerp_(batch.mean, _MOMENTUM)
            self.variance.lerp_(batch.scale**-2 - EPS, _MOMENTUM)

    def normal(self, sums: Tensor) -> Tensor:
        """Return sums (B, D) with mean 0 and variance 1 as far as known."""
        return (sums - self.mean) * (self.variance + EPS).rsqrt()

    def sums(self, z: Tensor) -> Tensor:
        """Undo :meth:`normal`."""
        return z * (self.variance + EPS).sqrt() + self.mean


class Layer(nn.Module):
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
        self.statistics.note(batch)
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
    """A layer of the decoder: what comes from above, and what comes from the encoder beside it.

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
        self.statistics.note(batch)
        return combine(z, batch.z, self.a)

    def forward(self, above: Tensor) -> Tensor:
        """Return the mean (B, D) that the layer above suggests, with nothing from beside."""
        u = self.statistics.normal(self.linear(above))
        a1, a2, a3, a4, a5 = self.a[:5]
        mean: Tensor = a1 * torch.sigmoid(a2 * u + a3) + a4 * u + a5
        return mean


def _without_bias(linear: nn.Module) -> nn.Module:
    linear.register_parameter("bias", None)
    return linear
