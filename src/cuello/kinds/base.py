"""What an autoencoder is to the rest of the program, and the registry of kinds.

A kind is one file in this folder: a final class below :class:`Autoencoder` under ``@register``.
Its keyword-only arguments are its options; command line, run folder, page and tests read them from
the signature.

Shapes: B rows of a batch, ... the shape of one row, K latents.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from cuello.errors import InputError, unknown
from cuello.kinds.losses import Reconstruction

__all__ = [
    "KINDS",
    "AutoencoderModule",
    "Batch",
    "Diagnosis",
    "Parts",
    "ParameterGroups",
    "build",
    "options",
    "register",
]

ParameterGroups = dict[str, list[dict[str, Any]]]
"""Optimizer name -> parameter groups. ``lr_scale`` in a group multiplies its learning rate."""


class Batch(NamedTuple):
    """Rows that are trained on together."""

    x: Tensor
    """(B, ...), scaled."""
    y: Tensor | None = None
    """(B,) class codes, or None."""
    near: Tensor | None = None
    """(B, ...), one neighbour of each row, for kinds that want ``neighbours``; else None."""


class Diagnosis(NamedTuple):
    """What a trained model turned out to be, beyond its loss."""

    statistics: dict[str, float | list[float]]
    """Numbers by name; one a latent where it is a list."""
    findings: list[str]
    """What is wrong, each in a sentence with the way out."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a kind is built from.

    Parameters
    ----------
    encoder : nn.Module
        (B, ...) -> (B, code width).
    decoder : nn.Module
        (B, decoder width) -> (B, ...), before the last activation.
    reconstruction : Reconstruction
        Loss and last activation.
    shape : tuple of int
        Shape of one row.
    latent_dim : int
        Length of the code (K).
    classes : int
        How many classes the rows are labelled with; 0 if they are not.
    """

    encoder: nn.Module
    decoder: nn.Module
    reconstruction: Reconstruction
    shape: tuple[int, ...]
    latent_dim: int
    classes: int = 0


class AutoencoderModule(nn.Module, ABC):
    """An encoder, a decoder, and a way to train them.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes.

    Attributes
    ----------
    progress : float
        How far the training is, in [0, 1]. The loop sets it before every step; terms that are
        warmed up read it. It is 1 on held-out rows, so that epochs can be compared.
    """

    equation: ClassVar[str]
    """What is minimised, in one line."""
    paper: ClassVar[str]
    """Where it comes from."""
    latent_activation: ClassVar[str] = "identity"
    """What ``latent_activation="auto"`` means for this kind."""
    stacked_options: ClassVar[tuple[str, ...]] = ()
    """Options that may differ between networks trained as one stack: buffers hold them."""
    needs_labels: ClassVar[bool] = False
    """Whether it cannot be trained without classes."""
    neighbours: int = 0
    """Among how many nearest rows one is drawn for each row of a batch; 0: none is needed."""
    normal_prior: ClassVar[bool] = False
    """Whether codes are made to follow N(0, I), so that draws from it decode to new rows."""
    restores: ClassVar[bool] = False
    """Whether it learns to give back whole rows from damaged ones."""
    dense_only: ClassVar[bool] = False
    """Whether it goes with dense layers alone, not with any network."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.encoder = parts.encoder
        self.decoder = parts.decoder
        self.reconstruction = parts.reconstruction
        self.latent_dim = parts.latent_dim
        self.progress = 1.0

    @classmethod
    def encoder_width(cls, latent_dim: int) -> int:
        """How many numbers the encoder must give for ``latent_dim`` latents."""
        return latent_dim

    @classmethod
    def decoder_width(cls, latent_dim: int, classes: int) -> int:
        """How many numbers the decoder takes."""
        return latent_dim

    def compared(self, x: Tensor) -> Tensor:
        """Return what nearest rows are found by (n, ...), of all scaled rows (n, ...)."""
        # The end of a short sequence is NaN, which is far from nothing.
        return x.flatten(1).nan_to_num()

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K) of each row: deterministic, a posterior's mean, not a sample."""

    def features(self, x: Tensor) -> Tensor:
        """Return what a classifier on top learns from (B, K): the code, or what is behind it.

        It is trained on through this, so it must have a gradient worth following.
        """
        return self.encode(x)

    @abstractmethod
    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the named terms that this optimizer minimises; the loop sums and logs them."""

    def decode(self, z: Tensor) -> Tensor:
        """Return rows (B, ...) in the range of the scaled data."""
        return self.reconstruction.activate(self.decoder(z))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return each row after encoding and decoding (B, ...)."""
        return self.decode(self.encode(x))

    def prior(self, rows: int, generator: torch.Generator | None = None) -> Tensor | None:
        """Draw new codes (rows, K), where the kind knows how codes are spread; else None."""
        if not self.normal_prior:
            return None
        return torch.randn(rows, self.latent_dim, generator=generator)

    def nearest_embedding(self, z: Tensor) -> Tensor:
        """Return codes that can be, nearest to these (B, K): they themselves, unless some cannot.

        For codes that came from nowhere in the data: drawn, or half-way between two.
        """
        return z

    def optimizers(self) -> ParameterGroups:
        """Return the parameters of each optimizer: one has all of them, unless a kind has more."""
        return {"autoencoder": [{"params": list(self.parameters())}]}

    def active_optimizers(self, progress: float) -> Sequence[str]:
        """Return the optimizers that move in an epoch, in order; asked when it begins.

        The last epoch counts as progress 1, so those that held-out rows judge have moved. An epoch
        in which others move is never the best one, nor does early stopping count it.
        """
        return list(self.optimizers())

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms whose sum on held-out rows decides which epoch was best."""
        terms: dict[str, Tensor] = {}
        for optimizer in self.active_optimizers(1.0):
            terms |= self.losses(batch, optimizer)
        return terms

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Examine the trained model on rows (n, ...): nothing to say, unless a kind has."""
        return Diagnosis({}, [])


Kind = TypeVar("Kind", bound=type[AutoencoderModule])

KINDS: dict[str, type[AutoencoderModule]] = {}


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


def build(kind: str, parts: Parts, **chosen: Any) -> AutoencoderModule:
    """Build a kind from its parts; options that are not its own are refused."""
    own = options(kind)
    for name in chosen:
        if name not in own:
            known = ", ".join(sorted(own)) or "none"
            raise InputError(
                f"kind_options={name!r} is not an option of kind={kind!r}; its options: {known}."
            )
    return KINDS[kind](parts, **chosen)
