"""Embeddings as 2-D coordinates: the latents, a learned projection, principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import nn

from cuello.arrays import Array, Float32s, Floats
from cuello.estimators import Autoencoder

__all__ = ["AffineLayer", "Projection", "projections"]


class AffineLayer(NamedTuple):
    """Weights (outputs, inputs) and bias (outputs,) of a linear layer."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A network from embeddings to coordinates, and one back."""

    name: str
    """Where there is a choice."""
    titles: tuple[str, ...]
    """Of the axes, one each."""
    meaning: str
    """The end of "a point is decoded as ..."; empty where a point is an embedding."""
    forward: tuple[AffineLayer, ...]
    """From embeddings to coordinates; between two layers is a ReLU."""
    inverse: tuple[AffineLayer, ...]
    """From coordinates to embeddings, likewise."""

    def transform(self, embeddings: Float32s) -> Floats:
        """Return coordinates (n, 2) or (n, 1) of embeddings (n, latents)."""
        return _through(self.forward, embeddings)

    def inverse_transform(self, xy: Floats) -> Floats:
        """Return embeddings (n, latents) for coordinates (n, 2) or (n, 1)."""
        return _through(self.inverse, xy)


def projections(embeddings: Float32s, projector: Autoencoder | None = None) -> list[Projection]:
    """Return the projections in which embeddings (n, latents) can be shown, the best one first.

    One latent makes a strip and two are shown as they are. Of more there is the learned projection,
    if the run has one, and the plane of the largest variance: the first two principal components
    (Pearson, 1901), each turned so that its largest entry is positive.
    """
    latents = embeddings.shape[1]
    if latents > 2:
        learned = [] if projector is None else [_learned(projector)]
        return [*learned, _principal_plane(embeddings)]
    same = (AffineLayer(np.eye(latents), np.zeros(latents)),)
    titles = tuple(f"latent {k + 1}" for k in range(latents))
    return [Projection(name="latents", titles=titles, meaning="", forward=same, inverse=same)]


def _principal_plane(embeddings: Float32s) -> Projection:
    exact = embeddings.astype(np.float64)
    centre = exact.mean(axis=0)
    variance, vectors = np.linalg.eigh((exact - centre).T @ (exact - centre))
    axes = vectors.T[::-1][:2]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[[0, 1], largest])[:, None]
    shares = 100 * variance[::-1][:2] / max(float(variance.sum()), 1e-12)
    first, second = (f"principal component ({share:.0f} %)" for share in shares)
    return Projection(
        name="PCA",
        titles=(f"first {first}", f"second {second}"),
        meaning="the plane of the first two principal components, all others at their mean. The "
        "sliders leave that plane",
        forward=(AffineLayer(axes, -axes @ centre),),
        inverse=(AffineLayer(axes.T, centre),),
    )


def _learned(projector: Autoencoder) -> Projection:
    scaling = projector.scaling_
    offset, width = np.asarray(scaling.offset), np.asarray(scaling.width)
    first, *rest = _layers(projector.module_.encoder)
    *begin, last = _layers(projector.module_.decoder)
    scaled = AffineLayer(first.weight / width, first.bias - first.weight @ (offset / width))
    return Projection(
        name="learned projection",
        titles=("learned projection of the embeddings", ""),
        meaning="the embedding that the learned projection has for it. The sliders lead to others",
        forward=(scaled, *rest),
        inverse=(*begin, AffineLayer(last.weight * width[:, None], last.bias * width + offset)),
    )


def _layers(network: nn.Module) -> list[AffineLayer]:
    return [
        AffineLayer(*(t.detach().cpu().numpy().astype(np.float64) for t in (m.weight, m.bias)))
        for m in network.modules()
        if isinstance(m, nn.Linear)
    ]


def _through(layers: tuple[AffineLayer, ...], x: Array) -> Floats:
    *hidden, last = layers
    for layer in hidden:
        x = np.maximum(x @ layer.weight.T + layer.bias, 0.0)
    return np.asarray(x @ last.weight.T + last.bias)
