"""Codes of any length in a plane: the latents themselves, a learned map, principal components."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import nn

from cuello.estimators import Autoencoder

__all__ = ["Layer", "Plane", "planes"]

Floats = npt.NDArray[np.float64]


class Layer(NamedTuple):
    """What a linear layer adds up."""

    weight: Floats
    """(outputs, inputs)."""
    bias: Floats
    """(outputs,)."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A way to show codes in a plane, and to lead back from places to codes."""

    name: str
    """What it is called where there is a choice."""
    titles: tuple[str, ...]
    """What the axes are, one each."""
    meaning: str
    """What is decoded at a place, as the end of a sentence; empty where the place is the code."""
    inward: tuple[Layer, ...]
    """From codes to places; between two layers is a ReLU."""
    outward: tuple[Layer, ...]
    """From places to codes, likewise."""

    def place(self, codes: npt.NDArray[np.float32]) -> Floats:
        """Return where codes (n, latents) lie, (n, 2) or (n, 1)."""
        return _through(self.inward, codes)

    def code(self, places: Floats) -> Floats:
        """Return the codes (n, latents) that places (n, 2) or (n, 1) lead to."""
        return _through(self.outward, places)


def planes(codes: npt.NDArray[np.float32], projector: Autoencoder | None = None) -> list[Plane]:
    """Return the planes in which codes can be shown, the best one first.

    One latent makes a strip and two are shown as they are. Of more there is the learned map, if the
    run has one, and the plane of the largest variance: the first two principal components (Pearson,
    1901), each turned so that its largest entry is positive.

    Parameters
    ----------
    codes : ndarray of shape (n, latents)
        One row or more.
    projector : Autoencoder or None
        From :func:`cuello.estimators.projection.fit_projector`.

    Examples
    --------
    >>> codes = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [2, 1, 0]], dtype=np.float32)
    >>> plane, = planes(codes)
    >>> plane.titles[0]
    'first principal component of the codes (80 %)'
    >>> plane.place(codes)[1].tolist(), plane.code(np.array([[1.0, -0.5]])).tolist()
    ([1.0, -0.5], [[2.0, 0.0, 0.0]])
    """
    latents = codes.shape[1]
    if latents > 2:
        return [*([] if projector is None else [_learned(projector)]), _principal(codes)]
    same = (Layer(np.eye(latents), np.zeros(latents)),)
    titles = tuple(f"latent {k + 1}" for k in range(latents))
    return [Plane(name="latents", titles=titles, meaning="", inward=same, outward=same)]


def _principal(codes: npt.NDArray[np.float32]) -> Plane:
    exact = codes.astype(np.float64)
    centre = exact.mean(axis=0)
    variance, vectors = np.linalg.eigh((exact - centre).T @ (exact - centre))
    axes = vectors.T[::-1][:2]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[[0, 1], largest])[:, None]
    share = 100 * variance[::-1][:2] / max(float(variance.sum()), 1e-12)
    titles = tuple(
        f"{which} principal component of the codes ({part:.0f} %)"
        for which, part in zip(("first", "second"), share, strict=True)
    )
    return Plane(
        name="PCA",
        titles=titles,
        meaning="the plane of the first two principal components, all others at their mean. The "
        "sliders leave that plane",
        inward=(Layer(axes, -axes @ centre),),
        outward=(Layer(axes.T, centre),),
    )


def _learned(projector: Autoencoder) -> Plane:
    scaling = projector.scaling_
    offset, width = np.asarray(scaling.offset), np.asarray(scaling.width)
    first, *rest = _layers(projector.module_.encoder)
    *begin, last = _layers(projector.module_.decoder)
    return Plane(
        name="learned map",
        titles=("learned projection of the embeddings", ""),
        meaning="the code that the learned map has for it. The sliders lead to others",
        inward=(Layer(first.weight / width, first.bias - first.weight @ (offset / width)), *rest),
        outward=(*begin, Layer(last.weight * width[:, None], last.bias * width + offset)),
    )


def _layers(network: nn.Module) -> list[Layer]:
    return [
        Layer(*(part.detach().cpu().numpy().astype(np.float64) for part in (m.weight, m.bias)))
        for m in network.modules()
        if isinstance(m, nn.Linear)
    ]


def _through(layers: tuple[Layer, ...], rows: npt.NDArray[np.floating]) -> Floats:
    *hidden, last = layers
    rows = reduce(lambda x, layer: np.maximum(x @ layer.weight.T + layer.bias, 0.0), hidden, rows)
    return np.asarray(rows @ last.weight.T + last.bias)
