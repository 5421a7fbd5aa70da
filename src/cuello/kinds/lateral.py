"""Parts of the ladder network: layers normalised over a batch, and lateral connections.

Shapes: B samples of a batch, D units of a layer, K latent dimensions.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from cuello.kinds.losses import full_precision

__all__ = [
    "Combinator",
    "LadderDecoder",
    "LadderEncoder",
    "LadderLayer",
    "Normal",
    "Statistics",
    "normalise",
]

EPS = 1e-5
"""Added to every variance, as in PyTorch's batch normalisation."""
_MOMENTUM = 0.1


class Normal(NamedTuple):
    """Sums z (B, D), normalised over the batch, with the mean and 1 / std (D,) they had."""

    z: Tensor
    mean: Tensor
    scale: Tensor


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
    """Give each unit of (B, D) mean 0 and variance 1 over the samples, in float32 at least."""
    normal = _Normalise.apply(full_precision(sums).contiguous())  # type: ignore[no-untyped-call]
    return Normal(*normal)


class Statistics(nn.Module):
    """Mean and variance of each unit for use on single samples: averages over the last batches."""

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

    Before a linear activation a shift does nothing, and before a ReLU a gain: the next layer's
    normalisation and weights undo them. So does the normalisation a bias of ``linear``.
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
        self.linear = linear
        self.linear.register_parameter("bias", None)
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

    Its estimate of a clean value from the noisy one z and from u, the layer above, normalised, is
    ``(z - m) v + m``, with ``m = a1 sigmoid(a2 u + a3) + a4 u + a5`` and
    ``v = a6 sigmoid(a7 u + a8) + a9 u + a10``: the best guess where z is Gaussian given u.
    """

    def __init__(self, linear: nn.Module | None, units: int) -> None:
        super().__init__()
        self.linear = nn.Identity() if linear is None else linear
        self.linear.register_parameter("bias", None)
        self.statistics = Statistics(units)
        start = torch.zeros(10, units)
        start[[1, 6, 9]] = 1.0
        self.a = nn.Parameter(start)

    def denoise(self, above: Tensor, z: Tensor) -> Tensor:
        """Return (B, D) from the layer above and noisy values (B, D)."""
        batch = normalise(self.linear(above))
        self.statistics.update(batch)
        mean, gain = (_bend(batch.z, a) for a in torch.split(self.a, 5))
        return torch.addcmul(mean, z - mean, gain)

    def forward(self, above: Tensor) -> Tensor:
        """Return the mean (B, D) that the layer above suggests, without a noisy value."""
        return _bend(self.statistics.normal(self.linear(above)), self.a[:5])


def _bend(u: Tensor, a: Tensor) -> Tensor:
    a1, a2, a3, a4, a5 = a
    bent: Tensor = a1 * torch.sigmoid(a2 * u + a3) + a4 * u + a5
    return bent


class LadderEncoder(nn.Module):
    """The layers from the samples up to the embeddings, without noise."""

    def __init__(self, layers: list[LadderLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    @property
    def last(self) -> LadderLayer:
        """The layer whose normalised sums are the embeddings."""
        return cast("LadderLayer", self.layers[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised sums of the last layer (B, K)."""
        h = x.flatten(1)
        for layer in list(self.layers)[:-1]:
            h = layer(h)
        return self.last.normal(h)


class LadderDecoder(nn.Module):
    """The layers from the embeddings down to the samples, without lateral connections."""

    def __init__(
        self, combinators: list[Combinator], shape: tuple[int, ...], latent_dim: int
    ) -> None:
        super().__init__()
        self.combinators = nn.ModuleList(combinators)
        self.shape = shape
        self.statistics = Statistics(latent_dim)

    def forward(self, z: Tensor) -> Tensor:
        """Return samples (B, ...) before the last activation, of embeddings (B, K)."""
        above = self.statistics.sums(z)
        for combinator in list(self.combinators)[1:]:
            above = combinator(above)
        return above.reshape(-1, *self.shape)
