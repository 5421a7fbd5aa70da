"""A linear layer beside encoder and decoder, which can start as a principal component analysis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from cuello.networks.layers import ACTIVATIONS

__all__ = ["LinearSkip", "start_as_pca"]


class LinearSkip(nn.Module):
    """Add a linear layer to a path of layers: activation(path(x) + linear(x)).

    The last layer of the path starts at 0, so that the linear layer is all there is at first; the
    path learns what a linear layer cannot. It may see inputs no further than training samples reach
    (``low`` to ``high``): beyond, where it learned nothing, the linear layer decides. After He et
    al., "Deep residual learning for image recognition", CVPR 2016, arXiv:1512.03385, section 3.2
    (equation 2: a linear projection where the widths differ).

    Parameters
    ----------
    path : nn.Module
        (B, ...) -> (B, *shape).
    linear : nn.Linear
        From the elements of a sample to those of the output.
    shape : tuple of int
        Shape of one output.
    activation : str
        After the sum.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self, path: nn.Module, linear: nn.Linear, shape: tuple[int, ...], activation: str
    ) -> None:
        super().__init__()
        self.path, self.linear, self.shape = path, linear, shape
        self.activation = ACTIVATIONS[activation]()
        for parameter in self._last.parameters():
            nn.init.zeros_(parameter)
        # To negate on the meta device would import the compiler of torch: three seconds.
        for name, bound in (("low", -math.inf), ("high", math.inf)):
            self.register_buffer(name, torch.full((linear.in_features,), bound))

    @property
    def _last(self) -> nn.Module:
        *_, last = (m for m in self.path.modules() if isinstance(m, nn.Linear | _ConvNd))
        return last

    @property
    def is_linear(self) -> bool:
        """Return whether the path still adds nothing."""
        return not any(bool(parameter.any()) for parameter in self._last.parameters())

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, *shape)."""
        flat = x.flatten(1)
        seen = torch.clamp(flat, self.low, self.high).view_as(x)
        y: Tensor = self.activation(self.path(seen) + self.linear(flat).unflatten(1, self.shape))
        return y


@torch.no_grad()
def start_as_pca(
    encoder: LinearSkip, decoder: LinearSkip, pca: Any, activate: Any, unbounded: Any = None
) -> None:
    """Make the linear layers project on principal components, and back.

    ``pca`` is a fitted :class:`sklearn.decomposition.PCA` of scaled samples. These are given as
    ``unbounded`` (n, features) where others may lie far outside their range: then the layers beside
    see no further. ``activate`` is the last activation of the reconstruction, whose tangent at 0 is
    inverted: of a sigmoid, 4 (x - 1/2) stands for the logit. Latents beyond the components start
    without use.
    """
    axes, mean = np.asarray(pca.components_), np.asarray(pca.mean_)
    with torch.enable_grad():
        zero = torch.zeros((), requires_grad=True)
        height = activate(zero)
        slope = float(torch.autograd.grad(height, zero)[0]) or 1.0
    for layer in (encoder.linear, decoder.linear):
        layer.weight.zero_()
        layer.bias.zero_()
    if unbounded is not None:
        _limit(encoder, unbounded)
        _limit(decoder, pca.transform(unbounded))
    encoder.linear.weight[: len(axes)] = torch.as_tensor(axes)
    encoder.linear.bias[: len(axes)] = torch.as_tensor(-axes @ mean)
    decoder.linear.weight[:, : len(axes)] = torch.as_tensor(axes.T / slope)
    decoder.linear.bias.copy_(torch.as_tensor((mean - float(height)) / slope))


def _limit(half: LinearSkip, seen: Any) -> None:
    """Limit what the path sees to the range of these inputs (n, features)."""
    low, high = np.min(seen, axis=0), np.max(seen, axis=0)
    half.low[: len(low)] = torch.as_tensor(low)
    half.high[: len(high)] = torch.as_tensor(high)
