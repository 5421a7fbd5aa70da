"""Fully connected encoder and decoder of any depth.

Shapes: B rows of a batch, D features of a row (its shape multiplied out), C outputs of the encoder,
K latents.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import nn

from cuello.errors import InputError
from cuello.networks.layers import activation_layer, initialize

__all__ = ["build"]


def build(
    shape: tuple[int, ...],
    latent_dim: int,
    code_width: int,
    *,
    hidden: Sequence[int] = (512, 256),
    activation: str = "relu",
    initializer: str = "default",
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> tuple[nn.Sequential, nn.Sequential]:
    """Build a dense encoder and its mirror image.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row; images are flattened on the way in and restored on the way out.
    latent_dim : int
        Inputs of the decoder (K).
    code_width : int
        Outputs of the encoder (C): ``latent_dim``, or more where a kind needs more than a point.
    hidden : sequence of int
        Widths from the input to the code; the decoder mirrors them. Empty: one linear layer each.
    activation : str
        After every layer but the last of each half.
    initializer : str
        See :data:`cuello.networks.layers.INITIALIZERS`.
    batch_norm : bool
        Batch normalisation before each activation (Ioffe and Szegedy 2015, arXiv:1502.03167).
    dropout : float
        Rate in [0, 1) after each activation (Srivastava et al. 2014).

    Returns
    -------
    encoder, decoder : nn.Sequential
        The decoder's last layer has no activation: the loss decides (:mod:`cuello.kinds.losses`).

    Examples
    --------
    >>> encoder, decoder = build((7, 5), 2, 2, hidden=(20,))
    >>> [tuple(p.shape) for p in encoder.parameters()]
    [(20, 35), (20,), (2, 20), (2,)]
    """
    if not 0.0 <= dropout < 1.0:
        raise InputError(f"dropout={dropout} is not a rate; use 0 (none) up to, not including, 1.")
    if any(width < 1 for width in hidden):
        raise InputError(f"hidden={tuple(hidden)} holds a width below 1; use positive widths.")
    features = math.prod(shape)

    def layers(widths: Sequence[int]) -> list[nn.Module]:
        stack: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            stack.append(initialize(nn.Linear(inputs, outputs), initializer))
            if i < len(widths) - 2:
                if batch_norm:
                    stack.append(nn.BatchNorm1d(outputs))
                stack.append(activation_layer(activation))
                if dropout:
                    stack.append(nn.Dropout(dropout))
        return stack

    encoder = nn.Sequential(nn.Flatten(), *layers([features, *hidden, code_width]))
    decoder = nn.Sequential(
        *layers([latent_dim, *reversed(hidden), features]), nn.Unflatten(1, shape)
    )
    return encoder, decoder
