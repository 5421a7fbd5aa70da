"""Encoders and decoders, built by name."""

from __future__ import annotations

from cuello.networks import conv, dense, sequence  # each registers itself
from cuello.networks.base import COMMON_OPTIONS, NETWORKS, Network, build_network, choose_network
from cuello.networks.layers import ACTIVATIONS, INITIALIZERS
from cuello.networks.linear_skip import LinearSkip, start_as_pca
from cuello.networks.summary import LayerSummary, multiplications, note_uses, summarize, total

__all__ = [
    "ACTIVATIONS",
    "COMMON_OPTIONS",
    "INITIALIZERS",
    "LayerSummary",
    "LinearSkip",
    "NETWORKS",
    "Network",
    "build_network",
    "choose_network",
    "conv",
    "dense",
    "multiplications",
    "note_uses",
    "sequence",
    "start_as_pca",
    "summarize",
    "total",
]
