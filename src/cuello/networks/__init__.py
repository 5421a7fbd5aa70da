"""Encoders and decoders, built by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cuello.errors import InputError, unknown
from cuello.networks import conv, dense, sequence
from cuello.networks.counting import multiplications, note_uses
from cuello.networks.layers import ACTIVATIONS, INITIALIZERS
from cuello.networks.summary import Layer, summarize, total

__all__ = [
    "ACTIVATIONS",
    "COMMON",
    "INITIALIZERS",
    "Layer",
    "NETWORKS",
    "SEQUENCES",
    "build",
    "default_hidden",
    "multiplications",
    "note_uses",
    "options",
    "summarize",
    "total",
]

NETWORKS: dict[str, Callable[..., tuple[nn.Module, nn.Module]]] = {
    "conv": conv.build,
    "dense": dense.build,
    "sequence": sequence.build,
}
"""Name -> ``build(shape, inputs, outputs, *, <common and own options>)``."""

SEQUENCES = frozenset({"sequence"})
"""Networks whose rows are sequences: (time, features), shorter ones filled up with NaN."""

COMMON = ("hidden", "activation", "latent_activation", "initializer", "batch_norm", "dropout")
"""Options that every network has, under the same names."""


def options(name: str) -> dict[str, inspect.Parameter]:
    """Return the options that a network has beyond the common ones.

    Examples
    --------
    >>> list(options("dense"))
    ['tied']
    """
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    parameters = inspect.signature(NETWORKS[name]).parameters
    return {
        n: p
        for n, p in parameters.items()
        if p.kind is inspect.Parameter.KEYWORD_ONLY and n not in COMMON
    }


def default_hidden(name: str) -> tuple[int, ...]:
    """Return the widths that a network has if none are given."""
    default: tuple[int, ...] = inspect.signature(NETWORKS[name]).parameters["hidden"].default
    return default


def build(
    name: str,
    shape: tuple[int, ...],
    inputs: int,
    outputs: int,
    *,
    own: dict[str, Any] | None = None,
    **common: Any,
) -> tuple[nn.Module, nn.Module]:
    """Build the named encoder and decoder.

    Parameters
    ----------
    name : str
        One of :data:`NETWORKS`.
    shape : tuple of int
        Shape of one row.
    inputs : int
        How many numbers the decoder takes.
    outputs : int
        How many numbers the encoder gives.
    own : dict or None
        The network's own options.
    **common
        Options in :data:`COMMON`.

    Raises
    ------
    InputError
        If the name or an option is not known, or does not fit the shape.
    """
    known = options(name)
    for option in own or {}:
        if option not in known:
            names = ", ".join(sorted(known)) or "none"
            raise InputError(
                f"network_options={option!r} is not an option of network={name!r}; its options: "
                f"{names}."
            )
    encoder, decoder = NETWORKS[name](shape, inputs, outputs, **common, **(own or {}))
    note_uses(encoder, torch.zeros(1, *shape))
    note_uses(decoder, torch.zeros(1, inputs))
    return encoder, decoder
