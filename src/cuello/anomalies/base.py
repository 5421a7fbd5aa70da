"""The contract of an anomaly score, and the registry of all scores.

Shapes: n samples, K latents.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from cuello.arrays import Array, Float32s, Floats
from cuello.data.edges import edge_histograms
from cuello.errors import Argument, Text
from cuello.estimators import Autoencoder
from cuello.kinds import KINDS
from cuello.networks import NETWORKS
from cuello.registry import Registry

__all__ = ["SCORES", "DataType", "EncodedSamples", "Score", "data_type", "register_score"]

DataType = Literal["tables", "images", "sequences"]
Need = Literal["images", "likelihood"]


@dataclass(frozen=True)
class EncodedSamples:
    """Samples and what a fitted autoencoder makes of them, computed when it is asked for.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    X : ndarray of shape (n, ...)
        In the data's own units.
    """

    model: Autoencoder
    X: Array

    @cached_property
    def embeddings(self) -> Float32s:
        """Embeddings (n, K), in standard deviations of those of the training samples."""
        model = self.model
        centred = model.transform(self.X) - model.embedding_mean_
        return (centred / model.embedding_scale_).astype(np.float32)

    @cached_property
    def errors(self) -> Floats:
        """Mean squared error (n,) of each scaled sample after encoding and decoding."""
        return np.asarray(-self.model.score_samples(self.X))

    @cached_property
    def scaled(self) -> Float32s:
        """Scaled samples (n, features), 0 where a value is missing."""
        flat = self.model.scaling_.apply(self.X).reshape(len(self.X), -1)
        return np.nan_to_num(flat).astype(np.float32)

    @cached_property
    def edges(self) -> Float32s:
        """Histograms of edge directions of images (n, features); see :mod:`cuello.data.edges`."""
        return edge_histograms(self.scaled.reshape(self.X.shape))

    def __len__(self) -> int:
        return len(self.X)


class Score(ABC):
    """An anomaly score: higher is more anomalous.

    Scores are in nats, up to a constant: the logarithm of a distance or an error, minus the
    logarithm of a density. So the tails of all of them fall about exponentially.

    A subclass in one file, registered by :func:`register_score`, is learned by every fit, stored in
    run folders and read from them, and offered by ``cuello anomalies --method``.

    Attributes
    ----------
    needs : tuple of str
        ``images`` or ``likelihood``, where not every model has the score.
    combined_for : tuple of str
        ``tables``, ``images`` or ``sequences``, for which ``combined`` includes the score.

    Examples
    --------
    >>> list(SCORES)
    ['reconstruction', 'mahalanobis', 'neighbours', 'samples', 'nearest', 'edges', 'likelihood']
    """

    needs: tuple[Need, ...] = ()
    combined_for: tuple[DataType, ...] = ()

    def learn(self, samples: EncodedSamples, seed: int) -> dict[str, Array]:
        """Return the arrays, by name, that the score keeps of reference samples: here none."""
        return {}

    @abstractmethod
    def __call__(self, samples: EncodedSamples, learned: Mapping[str, Array]) -> Floats:
        """Return the score of each sample, (n,)."""

    def find_obstacle(self, model: Autoencoder, shape: tuple[int, ...]) -> Text:
        """Return why samples of this shape cannot be scored with a model; empty if they can."""
        if "images" in self.needs and data_type(model, shape) != "images":
            return "needs images"
        if "likelihood" in self.needs and not hasattr(KINDS[model.kind_], "log_likelihood"):
            kind, other = Argument("kind", model.kind_), Argument("kind", "variational")
            return ("needs a likelihood, which ", kind, " does not give and ", other, " does")
        return ""

    def check(self, learned: Mapping[str, Array], model: Autoencoder) -> None:
        """Raise ValueError for arrays, read from a run folder, that are of another fitted model.

        Scores one sample with them; a subclass may do it otherwise.
        """
        middle = model.scaling_.invert(np.zeros((1, *model.shape_), dtype=np.float32))
        try:
            with np.errstate(all="ignore"):  # no matter how unlikely that sample is
                shape = self(EncodedSamples(model, middle), learned).shape
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"an anomaly score is of another autoencoder ({error})") from error
        if shape != (1,):
            raise ValueError("an anomaly score is of another autoencoder")


def data_type(model: Autoencoder, shape: tuple[int, ...]) -> DataType:
    """Return whether samples of this shape are rows of a table, images or sequences to a model."""
    if len(shape) == 1:
        return "tables"
    return "sequences" if NETWORKS[model.network_].is_sequence else "images"


SCORES: Registry[Score] = Registry("method")
"""All scores by name."""


def register_score(name: str) -> Callable[[type[Score]], type[Score]]:
    """Return a decorator that registers a score under a name."""

    def enter(made: type[Score]) -> type[Score]:
        SCORES.add(name, made())
        return made

    return enter
