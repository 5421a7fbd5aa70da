"""What an autoencoder is to the rest of the program, and the registry of kinds.

A kind is one file in this folder: a final class below :class:`Autoencoder` under ``@register``.
Its keyword-only arguments are its options; command line, run folder, page and tests read them from
the signature.

Shapes: B rows of a batch, ... the shape of one row, K latents.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

from cuello.errors import InputError, unknown
from cuello.kinds.losses import Reconstruction

__all__ = ["KINDS", "Autoencoder", "Batch", "Players", "build", "options", "register"]

Players = dict[str, list[dict[str, Any]]]
"""Optimizer name -> parameter groups. ``lr_scale`` in a group multiplies its learning rate."""


class Batch(NamedTuple):
    """Rows that are trained on together."""

    x: Tensor
    """(B, ...), scaled."""
    y: Tensor | None = None
    """(B,) class codes, or None."""


class Autoencoder(nn.Module, ABC):
    """An encoder, a decoder, and a way to train them.

    Parameters
    ----------
    encoder : nn.Module
        (B, ...) -> (B, code width).
    decoder : nn.Module
        (B, K) -> (B, ...), before the last activation.
    reconstruction : Reconstruction
        Loss and last activation.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, reconstruction: Reconstruction
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.reconstruction = reconstruction

    @staticmethod
    def code_width(latent_dim: int) -> int:
        """How many numbers the encoder must give for ``latent_dim`` latents."""
        return latent_dim

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K) of each row: deterministic, a posterior's mean, not a sample."""

    @abstractmethod
    def losses(self, batch: Batch, player: str) -> dict[str, Tensor]:
        """Return the named terms that this player minimises; the loop sums and logs them."""

    def decode(self, z: Tensor) -> Tensor:
        """Return rows (B, ...) in the range of the scaled data."""
        return self.reconstruction.activate(self.decoder(z))

    def players(self) -> Players:
        """Return who is optimised: one player that owns every parameter, unless a kind has more."""
        return {"autoencoder": [{"params": list(self.parameters())}]}


Kind = TypeVar("Kind", bound=type[Autoencoder])

KINDS: dict[str, type[Autoencoder]] = {}


def register(name: str) -> Callable[[Kind], Kind]:
    """Enter a class into ``KINDS`` under this name."""

    def enter(kind: Kind) -> Kind:
        KINDS[name] = kind
        return kind

    return enter


def options(kind: str) -> dict[str, inspect.Parameter]:
    """Return a kind's own options: the keyword-only arguments of its signature.

    Examples
    --------
    >>> sorted(options("denoising"))
    ['noise', 'noise_level', 'noise_share']
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    parameters = inspect.signature(KINDS[kind]).parameters
    return {n: p for n, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def build(
    kind: str,
    encoder: nn.Module,
    decoder: nn.Module,
    reconstruction: Reconstruction,
    **chosen: Any,
) -> Autoencoder:
    """Build a kind from its networks; options that are not its own are refused."""
    own = options(kind)
    for name in chosen:
        if name not in own:
            known = ", ".join(sorted(own)) or "none"
            raise InputError(
                f"kind_options={name!r} is not an option of kind={kind!r}; its options: {known}."
            )
    return KINDS[kind](encoder, decoder, reconstruction, **chosen)
