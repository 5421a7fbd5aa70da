"""The registry of networks: pairs of encoder and decoder, built by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cuello.errors import Argument
from cuello.networks.linear_skip import LinearSkip
from cuello.networks.summary import note_uses
from cuello.options import Option, check_options, read_options
from cuello.registry import Registry

__all__ = ["COMMON_OPTIONS", "NETWORKS", "Network", "build_network", "choose_network"]

COMMON_OPTIONS = (
    "hidden",
    "activation",
    "latent_activation",
    "initializer",
    "batch_norm",
    "dropout",
)
"""Options that every network has, under the same names."""


@dataclass(frozen=True)
class Network:
    """A pair of encoder and decoder that can be chosen by name.

    Parameters
    ----------
    build : callable
        ``(shape, inputs, outputs, *, <options>) -> (encoder, decoder)``.
    is_sequence : bool
        Whether samples are sequences: (time, features), shorter ones filled up with NaN.
    """

    build: Callable[..., tuple[nn.Module, nn.Module]]
    is_sequence: bool = False

    @property
    def options(self) -> dict[str, Option]:
        """Options beyond the common ones."""
        return read_options(self.build, skip=COMMON_OPTIONS)

    @property
    def default_hidden(self) -> tuple[int, ...]:
        """Widths of the layers, where none are chosen."""
        hidden: tuple[int, ...] = read_options(self.build)["hidden"].default
        return hidden


NETWORKS: Registry[Network] = Registry("network")
"""Networks by name."""


def choose_network(
    network: str, shape: tuple[int, ...] | None = None, *, own_layers: bool = False
) -> str:
    """Return a network as it is named; for ``auto``, that which suits samples of a shape.

    Images of several channels get ``conv``. Other samples, those of no known shape, and whatever
    comes with layers or options of its own, get ``dense``.
    """
    if network != "auto":
        return network
    in_colour = shape is not None and len(shape) == 3 and shape[0] > 1
    return "conv" if in_colour and not own_layers else "dense"


def build_network(
    name: str,
    shape: tuple[int, ...],
    inputs: int,
    outputs: int,
    *,
    options: dict[str, Any] | None = None,
    linear_skip: bool = False,
    **common: Any,
) -> tuple[nn.Module, nn.Module]:
    """Build encoder and decoder of a network by its name or alias in :data:`NETWORKS`.

    Samples have this shape; the decoder has so many inputs and the encoder so many outputs.
    ``options`` are those of this network, ``common`` those in :data:`COMMON_OPTIONS`. With
    ``linear_skip`` a linear layer goes past each half. A name or option that is unknown, or does
    not fit the shape, is an InputError.
    """
    network = NETWORKS[name]
    chosen = NETWORKS.implied(name) | (options or {})
    check_options("network_options", Argument("network", name), network.options, chosen)
    last = common.get("latent_activation", "identity")
    if linear_skip:
        common["latent_activation"] = "identity"  # it comes after the sum
    encoder, decoder = network.build(shape, inputs, outputs, **common, **chosen)
    if linear_skip:
        features = math.prod(shape)
        encoder = LinearSkip(encoder, nn.Linear(features, outputs), (outputs,), last)
        decoder = LinearSkip(decoder, nn.Linear(inputs, features), shape, "identity")
    # One without memory is built for the shapes of its weights alone; to run it would import the
    # compiler of PyTorch: seconds in every program that opens a run.
    if torch.get_default_device().type != "meta":
        note_uses(encoder, torch.zeros(1, *shape))
        note_uses(decoder, torch.zeros(1, inputs))
    return encoder, decoder
