"""Activations and optimizers of the compiled steps; the kernels know them by position."""

from __future__ import annotations

__all__ = ["ACTIVATIONS", "OPTIMIZERS"]

ACTIVATIONS = ("identity", "relu", "sigmoid", "tanh")
"""Activations of a layer."""

OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")
"""Optimizers, as the classes of ``torch.optim``, with their defaults."""
