"""From the options of an estimator and the shape of its samples to an untrained module."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import nn

from cuello import kinds, networks
from cuello.arrays import Array
from cuello.data.scaling import Scaling
from cuello.errors import Argument, InputError, Use
from cuello.estimators.baselines import fit_pca, flat
from cuello.estimators.sources import NetworkSource, first_line, make_network
from cuello.options import Range
from cuello.seeding import seeded

__all__ = ["Architecture", "assemble", "is_linear_start", "resolve_network", "start_linear"]

_MOST_LATENTS = 32
"""That an embedding has by default."""
_PCA_ELEMENTS = 10_000_000
"""Of scaled samples, which the PCA of a linear skip is fitted to."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Options that decide a network.

    Parameters
    ----------
    kind : str
        One of :data:`cuello.kinds.KINDS`, or an alias such as ``vae``; ``cuello kinds`` lists them.
        ``auto``: ``plain`` for rows of a table (without ``kind_options``), otherwise ``denoising``.
    kind_options : dict or None
        Options of the kind, for example ``{"noise": "gaussian", "noise_level": 0.3}``.
    network : str
        One of :data:`cuello.networks.NETWORKS`. ``auto``: ``conv`` for images of several channels
        (without ``hidden`` and ``network_options``), otherwise ``dense``.
    network_options : dict or None
        Options of the network, for example ``{"tied": True}`` for ``dense``.
    encoder, decoder : nn.Module, callable, str or None
        Your own networks instead of a named one: a module (a copy is trained on from its weights),
        a function or class that makes one with new weights, or where to import either,
        ``"package.module:name"``. The encoder maps samples to (B, encoder width), the decoder
        embeddings back to samples; only networks that can be imported by name can be kept in a run
        folder.
    hidden : sequence of int or None
        Widths from the input to the embedding; the decoder mirrors them. Units of dense layers,
        channels of convolutional ones, units of recurrent ones. None: the network's default.
    latent_dim : int or "auto"
        Length of the embedding; below the number of features unless ``allow_overcomplete``.
        ``auto`` is half as many as a sample has features, up to 32. An ``encoder`` of your own
        decides it itself.
    activation : str
        One of :data:`cuello.networks.ACTIVATIONS`.
    latent_activation : str
        After the last layer of the encoder; ``auto`` is the kind's, mostly identity.
    initializer : str
        One of :data:`cuello.networks.INITIALIZERS`; ``auto`` is PyTorch's own, or ``he_uniform``
        where a sigmoid or tanh bounds the embedding.
    batch_norm : bool
        Batch normalisation before each activation.
    dropout : float
        Rate in [0, 1) after each activation.
    loss : str
        ``mse``, ``mae``, ``huber``, ``mape``, ``bce``, or ``auto``: ``bce`` for data in 0..1 and
        ``mse`` otherwise.
    reduction : str
        ``mean`` over elements or ``sum`` over them.
    output_activation : str
        ``auto`` fits the range of the scaled data: sigmoid for 0..1, otherwise identity.
    linear_skip : bool or None
        Whether a linear layer goes past each half of a named network and, where the embedding has
        no activation, starts as a PCA of the training samples; the layers learn the rest. None:
        for the kinds ``plain`` and ``denoising``, where there are hidden layers and no tied ones.
    allow_overcomplete : bool
        Allow an embedding as long as a sample or longer.
    """

    kind: Annotated[str, ("auto", *kinds.KINDS)] = "auto"
    kind_options: Mapping[str, Any] | None = None
    network: Annotated[str, ("auto", *networks.NETWORKS)] = "auto"
    network_options: Mapping[str, Any] | None = None
    encoder: NetworkSource | None = None
    decoder: NetworkSource | None = None
    hidden: Sequence[int] | None = None
    latent_dim: Annotated[int | str, Range(1), ("auto",)] = "auto"
    activation: Annotated[str, networks.ACTIVATIONS] = "relu"
    latent_activation: str = "auto"
    initializer: Annotated[str, ("auto", *networks.INITIALIZERS)] = "auto"
    batch_norm: bool = False
    dropout: Annotated[float, Range(0.0, 1.0, open_high=True)] = 0.0
    loss: Annotated[str, ("auto", *kinds.LOSSES)] = "auto"
    reduction: Annotated[str, ("mean", "sum")] = "mean"
    output_activation: Annotated[str, ("auto", *kinds.OUTPUTS)] = "auto"
    linear_skip: bool | None = None
    allow_overcomplete: bool = False

    @property
    def is_named(self) -> bool:
        """Return whether the network is a named one, not one of the user's."""
        return self.encoder is None and self.decoder is None


def assemble(
    design: Architecture, shape: tuple[int, ...], classes: int, scaling: Scaling, seed: int
) -> kinds.AutoencoderModule:
    """Build the module that options describe, for samples of a shape; 0 classes are none.

    Raise InputError where options do not fit one another or the data.
    """
    kind = kinds.KINDS[design.kind]
    reconstruction = kinds.ReconstructionLoss(
        loss=design.loss,
        output=design.output_activation,
        reduction=design.reduction,
        low=scaling.low,
        high=scaling.high if scaling.high > scaling.low else scaling.low + 1.0,
        missing=networks.NETWORKS[design.network].is_sequence,
    )
    with seeded(seed):
        if design.is_named:
            latent_dim = _check_latent_dim(design, shape)
            resolved = resolve_network(design)
            encoder, decoder = networks.build_network(
                design.network,
                shape,
                kind.decoder_width(latent_dim, classes),
                kind.encoder_width(latent_dim),
                options=resolved.pop("network_options"),
                activation=design.activation,
                batch_norm=design.batch_norm,
                dropout=design.dropout,
                **resolved,
            )
        else:
            encoder, decoder, latent_dim = _build_custom(design, shape, classes)
        parts = kinds.Parts(
            encoder=encoder,
            decoder=decoder,
            reconstruction=reconstruction,
            shape=shape,
            latent_dim=latent_dim,
            classes=classes,
        )
        return kinds.build_module(design.kind, parts, **(design.kind_options or {}))


def resolve_network(design: Architecture) -> dict[str, Any]:
    """Return the options of a named network with defaults, and ``auto``, resolved."""
    if not design.is_named:
        return {}
    network = networks.NETWORKS[design.network]
    options = {name: option.default for name, option in network.options.items()}
    options |= networks.NETWORKS.implied(design.network) | dict(design.network_options or {})
    latent_activation = design.latent_activation
    if latent_activation == "auto":
        latent_activation = kinds.KINDS[design.kind].latent_activation
    initializer = design.initializer
    if initializer == "auto":
        # PyTorch's own weights start so small that a bounded embedding is driven to its end, the
        # same for every sample, while the decoder learns the mean sample; it hardly returns.
        initializer = "he_uniform" if latent_activation in ("sigmoid", "tanh") else "default"
    hidden = network.default_hidden if design.hidden is None else design.hidden
    linear_skip = design.linear_skip
    if linear_skip is None:
        suits = kinds.KINDS[design.kind].linear_skip and latent_activation == "identity"
        other = network.is_sequence or options.get("tied", False) or not hidden
        linear_skip = suits and not other
    return {
        "network_options": options,
        "hidden": tuple(hidden),
        "latent_activation": latent_activation,
        "initializer": initializer,
        "linear_skip": bool(linear_skip),
    }


def start_linear(
    module: kinds.AutoencoderModule, scaling: Scaling, samples: Array, seed: int
) -> None:
    """Start the linear layers past an encoder and a decoder as a PCA of these samples."""
    encoder, decoder = module.encoder, module.decoder
    if not isinstance(encoder, networks.LinearSkip) or not isinstance(decoder, networks.LinearSkip):
        return
    if not isinstance(encoder.activation, nn.Identity):
        return
    every = math.ceil(len(samples) / max(_PCA_ELEMENTS // samples[0].size, 256))
    table = flat(scaling.apply(samples[::every]))
    pca = fit_pca(table, module.latent_dim, seed)
    unbounded = table if scaling.name == "standard" else None
    networks.start_as_pca(encoder, decoder, pca, module.reconstruction.activate, unbounded)


def is_linear_start(module: kinds.AutoencoderModule) -> bool:
    """Return whether encoder and decoder are still no more than their linear layers."""
    halves = (module.encoder, module.decoder)
    return all(isinstance(half, networks.LinearSkip) and half.is_linear for half in halves)


def _check_latent_dim(design: Architecture, shape: tuple[int, ...]) -> int:
    features = math.prod(shape)
    if features == 1 and not design.allow_overcomplete:
        raise InputError("samples have 1 feature(s); a shorter embedding needs at least 2.")
    latents: Any = design.latent_dim
    if latents == "auto":
        return min(math.ceil(features / 2), _MOST_LATENTS)
    if not isinstance(latents, int | np.integer) or latents < 1:
        raise InputError(
            argument="latent_dim",
            value=latents,
            allowed="a whole number from 1 on, or 'auto'",
            remedy=Use("latent_dim", "auto"),
        )
    if latents >= features and not design.allow_overcomplete:
        raise InputError(
            argument="latent_dim",
            value=latents,
            allowed=f"at least 1 and below the number of features ({features})",
            remedy=[f"pick 1..{features - 1}, or ", Use("allow_overcomplete", True)],
        )
    return int(latents)


def _build_custom(
    design: Architecture, shape: tuple[int, ...], classes: int
) -> tuple[nn.Module, nn.Module, int]:
    """Make the user's networks, and read the latent dimension off their shapes."""
    kind = kinds.KINDS[design.kind]
    if design.encoder is None or design.decoder is None:
        missing = "encoder" if design.encoder is None else "decoder"
        raise InputError(
            "is missing",
            argument=missing,
            value=None,
            remedy="give encoder and decoder together, or neither",
        )
    encoder = make_network("encoder", design.encoder)
    decoder = make_network("decoder", design.decoder)
    encoded = _try_network("encoder", encoder, (2, *shape))
    if len(encoded) != 2 or encoded[0] != 2:
        raise InputError(
            f"encoder turns samples of shape (2, {_join(shape)}) into {encoded}; it must give "
            "(2, latent dimension): end it with torch.nn.Flatten()."
        )
    latent_dim = encoded[1] // kind.encoder_width(1)
    if latent_dim < 1 or kind.encoder_width(latent_dim) != encoded[1]:
        gives, needs = f"encoder gives {encoded[1]} numbers a sample; ", kind.encoder_width(1)
        kind_mentioned = Argument("kind", design.kind)
        raise InputError([gives, kind_mentioned, f" needs a multiple of {needs}"])
    width = kind.decoder_width(latent_dim, classes)
    decoded = _try_network("decoder", decoder, (2, width))
    if decoded != (2, *shape):
        raise InputError(
            f"decoder turns embeddings of shape (2, {width}) into {decoded}; it must give "
            f"(2, {_join(shape)}), the shape of the samples: end it with "
            f"torch.nn.Unflatten(1, ({_join(shape)}))."
        )
    return encoder, decoder, latent_dim


def _try_network(argument: str, module: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    try:
        out: Any = networks.note_uses(module, torch.zeros(shape))
    except Exception as error:  # whatever a network of the user's may raise
        inputs = "samples" if argument == "encoder" else "embeddings"
        raise InputError(
            f"{argument} cannot take {inputs} of shape {shape}: {first_line(error)}"
        ) from error
    if not isinstance(out, torch.Tensor):
        raise InputError(f"{argument} gives {type(out).__name__}; it must give a tensor.")
    return tuple(out.shape)


def _join(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
