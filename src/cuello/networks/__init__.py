"""Encoders and decoders, built by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from cuello.errors import unknown
from cuello.networks import dense
from cuello.networks.layers import ACTIVATIONS, INITIALIZERS

__all__ = ["ACTIVATIONS", "INITIALIZERS", "NETWORKS", "build"]

NETWORKS: dict[str, Callable[..., tuple[nn.Module, nn.Module]]] = {"dense": dense.build}


def build(
    name: str, shape: tuple[int, ...], latent_dim: int, code_width: int, **options: Any
) -> tuple[nn.Module, nn.Module]:
    """Build the named encoder and decoder; options are those of the network's own ``build``."""
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    return NETWORKS[name](shape, latent_dim, code_width, **options)
