"""The contract between an autoencoder and the rest of the program, and the registry of kinds.

A kind is one file in this folder: a final class below :class:`AutoencoderModule` under
``@KINDS.register``. Its keyword-only arguments are its options; command line, run folder, page and
tests read them from the signature.

Shapes: B samples of a batch, ... the shape of one sample, K latent dimensions.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from cuello.errors import Argument
from cuello.kinds.losses import ReconstructionLoss
from cuello.options import Option, check_options, describe, read_options
from cuello.registry import Registry

__all__ = [
    "KINDS",
    "AutoencoderModule",
    "Batch",
    "Diagnosis",
    "Parts",
    "ParameterGroups",
    "build_module",
]

ParameterGroups = dict[str, list[dict[str, Any]]]
"""Optimizer name -> parameter groups. ``lr_scale`` in a group multiplies its learning rate."""


class Batch(NamedTuple):
    """Samples that are trained on together."""

    x: Tensor
    """(B, ...), scaled."""
    y: Tensor | None = None
    """(B,) class codes, or None."""
    neighbour: Tensor | None = None
    """(B, ...), one neighbour of each sample, for kinds with ``neighbours``; else None."""


class Diagnosis(NamedTuple):
    """Properties of a trained model beyond its loss."""

    statistics: dict[str, float | list[float]]
    """Numbers by name; one a latent dimension where it is a list."""
    findings: list[str]
    """Problems, each in a sentence with the remedy."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Networks, loss and sizes that a kind is built from.

    Parameters
    ----------
    encoder : nn.Module
        (B, ...) -> (B, encoder width).
    decoder : nn.Module
        (B, decoder width) -> (B, ...), before the last activation.
    reconstruction : ReconstructionLoss
        Loss and last activation.
    shape : tuple of int
        Shape of one sample.
    latent_dim : int
        Length of an embedding (K).
    classes : int
        Number of classes among the labels; 0 without labels.
    """

    encoder: nn.Module
    decoder: nn.Module
    reconstruction: ReconstructionLoss
    shape: tuple[int, ...]
    latent_dim: int
    classes: int = 0

    def per_element(self, weight: float) -> float:
        """Return the weight of a penalty that counts beside the loss of one element.

        It counts as often as elements do, so that a weight means the same under both reductions.
        """
        return weight * (math.prod(self.shape) if self.reconstruction.reduction == "sum" else 1)


class AutoencoderModule(nn.Module, ABC):
    """An encoder and a decoder with the losses that train them.

    The first sentence of a kind's docstring is its ``summary``.

    Attributes
    ----------
    progress : float
        Share of the training that is done, in [0, 1]. The loop sets it before every step; terms
        that are warmed up read it. It is 1 on held-out samples, so that epochs can be compared.
    """

    summary: ClassVar[str]
    """One sentence for readers who do not know the kind."""
    equation: ClassVar[str]
    """The loss that is minimised, in one line."""
    paper: ClassVar[str]
    """Author, year and place of publication."""
    latent_activation: ClassVar[str] = "identity"
    """The activation that ``latent_activation="auto"`` stands for."""
    stacked_options: ClassVar[tuple[str, ...]] = ()
    """Options that may differ between networks trained as one stack: buffers hold them."""
    needs_labels: ClassVar[bool] = False
    """Whether training needs classes."""
    neighbours: int = 0
    """From how many nearest samples a neighbour of each sample is drawn; 0: none is needed."""
    normal_prior: ClassVar[bool] = False
    """Whether embeddings are trained to follow N(0, I), whose draws then decode to new samples."""
    restores: ClassVar[bool] = False
    """Whether it learns to restore damaged samples."""
    dense_only: ClassVar[bool] = False
    """Whether it needs dense layers instead of any network."""
    linear_skip: ClassVar[bool] = False
    """Whether ``linear_skip="auto"`` starts it as a PCA: of kinds that only reconstruct."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.summary = describe(cls).summary

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.encoder = parts.encoder
        self.decoder = parts.decoder
        self.reconstruction = parts.reconstruction
        self.latent_dim = parts.latent_dim
        self.progress = 1.0

    @classmethod
    @functools.cache
    def options(cls) -> Mapping[str, Option]:
        """Return the options: the keyword-only arguments of the signature."""
        return read_options(cls)

    @classmethod
    def encoder_width(cls, latent_dim: int) -> int:
        """Return how many outputs the encoder needs."""
        return latent_dim

    @classmethod
    def decoder_width(cls, latent_dim: int, classes: int) -> int:
        """Return how many inputs the decoder needs."""
        return latent_dim

    def neighbour_features(self, x: Tensor) -> Tensor:
        """Return the features (n, ...) by which nearest samples of all (n, ...) are searched."""
        # The end of a short sequence is NaN, whose distances would all be NaN.
        return x.flatten(1).nan_to_num()

    def encode(self, x: Tensor) -> Tensor:
        """Return the embeddings (B, K): deterministic, a posterior's mean instead of a draw."""
        z: Tensor = self.encoder(x)
        return z

    def features(self, x: Tensor) -> Tensor:
        """Return the features (B, K) that a classifier on top learns from: the embeddings.

        The classifier's gradient reaches the encoder through this, so a kind whose embeddings are
        not differentiable returns what they are made of.
        """
        return self.encode(x)

    @abstractmethod
    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the named terms that this optimizer minimises; the loop sums and logs them."""

    def decode(self, z: Tensor) -> Tensor:
        """Return samples (B, ...) in the range of the scaled data."""
        return self.reconstruction.activate(self.decoder(z))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return each sample after encoding and decoding (B, ...)."""
        return self.decode(self.encode(x))

    def prior(self, samples: int, generator: torch.Generator | None = None) -> Tensor | None:
        """Draw embeddings (samples, K) from the prior; None if the kind has none."""
        if not self.normal_prior:
            return None
        return torch.randn(samples, self.latent_dim, generator=generator)

    def nearest_embedding(self, z: Tensor) -> Tensor:
        """Return the embeddings of the kind nearest to drawn or interpolated ones (B, K).

        They are returned as they are, unless a kind has only some.
        """
        return z

    def optimizers(self) -> ParameterGroups:
        """Return parameter groups by optimizer: one that owns all, unless a kind has more."""
        return {"autoencoder": [{"params": list(self.parameters())}]}

    def active_optimizers(self, progress: float) -> Sequence[str]:
        """Return the optimizers that step in an epoch, in order; called when it begins.

        The last epoch counts as progress 1, so those that held-out losses judge have stepped. An
        epoch in which others step is never the best one, nor does early stopping count it.
        """
        return list(self.optimizers())

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms whose sum on held-out samples decides which epoch was best."""
        terms: dict[str, Tensor] = {}
        for optimizer in self.active_optimizers(1.0):
            terms |= self.losses(batch, optimizer)
        return terms

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Examine the trained model on samples (n, ...); without findings, unless a kind has."""
        return Diagnosis({}, [])


KINDS: Registry[type[AutoencoderModule]] = Registry("kind")
"""Kinds of autoencoder by name."""


def choose_kind(
    kind: str, shape: tuple[int, ...] | None = None, options: Mapping[str, Any] | None = None
) -> str:
    """Return a kind as it is named; for ``auto``, that which suits samples of a shape.

    Rows of a table are reconstructed best by ``plain``. Other samples, those of no known shape, and
    whatever comes with options, get ``denoising``.
    """
    if kind != "auto":
        return kind
    is_table = shape is not None and len(shape) == 1
    return "plain" if is_table and not options else "denoising"


def build_module(kind: str, parts: Parts, **options: Any) -> AutoencoderModule:
    """Build a kind, by its name or alias in :data:`KINDS`, from parts and its checked options."""
    chosen = KINDS.implied(kind) | options
    check_options("kind_options", Argument("kind", kind), KINDS[kind].options(), chosen)
    return KINDS[kind](parts, **chosen)
