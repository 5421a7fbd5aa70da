"""Fully connected encoder and decoder of any depth.

Shapes: B samples of a batch, D features of a sample (its shape multiplied out), C outputs of the
encoder, K inputs of the decoder.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from cuello.errors import InputError, Use
from cuello.networks.base import NETWORKS, Network
from cuello.networks.layers import ACTIVATIONS, check_common, initialize

__all__ = ["TiedLinear", "build_dense"]


class TiedLinear(nn.Module):
    """A linear layer with another one's weights, transposed, and a bias of its own."""

    def __init__(self, other: nn.Linear) -> None:
        super().__init__()
        self.weight = other.weight
        self.bias = nn.Parameter(other.weight.new_zeros(other.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, D)."""
        return F.linear(x, self.weight.t(), self.bias)


def build_dense(
    shape: tuple[int, ...],
    inputs: int,
    outputs: int,
    *,
    hidden: Sequence[int] = (512, 256),
    activation: str = "relu",
    latent_activation: str = "identity",
    initializer: str = "default",
    batch_norm: bool = False,
    dropout: float = 0.0,
    tied: bool = False,
) -> tuple[nn.Sequential, nn.Sequential]:
    """Build a dense encoder and its mirror image.

    Parameters
    ----------
    shape : tuple of int
        Shape of one sample; images are flattened for the encoder and restored by the decoder.
    inputs, outputs : int
        Inputs of the decoder (K), and outputs of the encoder (C).
    hidden : sequence of int
        Widths from input to embedding; the decoder mirrors them. Empty: one linear layer each.
    activation, latent_activation : str
        After every layer but the last of each half, and after the last layer of the encoder.
    initializer : str
        See :data:`cuello.networks.INITIALIZERS`.
    batch_norm : bool
        Batch normalisation before each activation (Ioffe and Szegedy 2015, arXiv:1502.03167).
    dropout : float
        Rate after each activation (Srivastava et al. 2014).
    tied : bool
        Whether each layer of the decoder uses the weights of its mirror image, transposed; needs
        ``inputs`` equal to ``outputs``.

    Returns
    -------
    encoder, decoder : nn.Sequential
        As many blocks each; block i of the encoder is undone by block -1 - i of the decoder. The
        decoder's last block has no activation: the loss decides (:mod:`cuello.kinds.losses`).

    Notes
    -----
    Source: Rumelhart, Hinton and Williams, Nature 323 (1986), 533-536.
    """
    check_common(hidden, dropout)
    if tied and inputs != outputs:
        raise InputError(
            f"needs as many inputs of the decoder as the encoder has outputs; here {inputs} and "
            f"{outputs}",
            argument="tied",
            value=True,
            remedy=Use("tied", False),
        )
    features = math.prod(shape)

    def block(layer: nn.Module, width: int) -> nn.Sequential:
        return nn.Sequential(
            layer,
            *([nn.BatchNorm1d(width)] if batch_norm else []),
            ACTIVATIONS[activation](),
            *([nn.Dropout(dropout)] if dropout else []),
        )

    def linears(widths: Sequence[int]) -> list[nn.Linear]:
        return [initialize(nn.Linear(a, b), initializer) for a, b in itertools.pairwise(widths)]

    encoder_layers = linears([features, *hidden, outputs])
    decoder_layers: Sequence[nn.Module] = (
        [TiedLinear(layer) for layer in reversed(encoder_layers)]
        if tied
        else linears([inputs, *reversed(hidden), features])
    )
    *first, last = encoder_layers
    encoder = [block(*pair) for pair in zip(first, hidden, strict=True)]
    encoder.append(nn.Sequential(last, ACTIVATIONS[latent_activation]()))
    encoder[0].insert(0, nn.Flatten())
    *first_back, last_back = decoder_layers
    decoder = [block(*pair) for pair in zip(first_back, reversed(hidden), strict=True)]
    decoder.append(nn.Sequential(last_back, nn.Unflatten(1, shape)))
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


NETWORKS.add("dense", Network(build_dense), aliases=("mlp",))
