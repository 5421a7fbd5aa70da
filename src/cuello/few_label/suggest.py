"""Active learning: which samples to label next, uncertain ones that differ.

Shapes: N samples, C classes, K latents, M labelled samples.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin_min

from cuello.arrays import Array, Bools, Floats, Indices
from cuello.errors import InputError

__all__ = ["distance_to_labelled", "suggest_samples", "uncertainty"]

_POOL = 0.3  # share of the samples, the most uncertain first, that suggestions come from
_POOL_FACTOR = 50  # times as many samples as are wanted, so that small data has some of every class
_CLUSTERED = 5000  # samples of that pool, drawn at random, that are clustered at most


def suggest_samples(
    probabilities: Array | None,
    embeddings: Array,
    n: int,
    *,
    labelled: npt.ArrayLike | None = None,
    labelled_embeddings: Array | None = None,
    seed: int = 0,
) -> Indices:
    """Return the samples whose labels would teach a classifier most.

    Parameters
    ----------
    probabilities : ndarray of shape (N, C) or None
        Of each class; None without a classifier: the samples that stand for most others follow.
    embeddings : ndarray of shape (N, K)
        As from ``Autoencoder.transform``; standardised here.
    n : int
        How many samples, 1 or more.
    labelled : array-like of bool, shape (N,), or None
        Samples that have a label, and are not suggested.
    labelled_embeddings : ndarray of shape (M, K) or None
        Embeddings of further labelled samples, which are not among these.
    seed : int
        The same seed gives the same samples.

    Returns
    -------
    ndarray of int64, shape (n,)
        Samples without a label, those with the most to teach first; fewer if there are fewer.

    Raises
    ------
    InputError
        If an argument is outside its range, or no sample is left to label.

    Notes
    -----
    A sample's weight is its uncertainty, one less the margin between the two most probable classes,
    times its distance to the nearest labelled embedding. The samples with the highest weights are
    gathered in ``n`` clusters by weighted k-means, and the one nearest to each centre is taken: the
    scheme of Zhdanov, "Diverse mini-batch active learning" (2019), which has no distance in its
    weights. Clusters keep suggestions from being all alike, and nearness from being outliers. What
    it gains over a random choice: ``python -m benchmarks suggest``.

    Examples
    --------
    >>> z = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0], [9.0, 0.0]])
    >>> p = np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.4], [0.5, 0.5], [0.5, 0.5]])
    >>> suggest_samples(p, z, 2, labelled=[True, False, False, False, False]).tolist()
    [4, 3]
    """
    Z = np.asarray(embeddings, dtype=np.float64)
    if Z.ndim != 2 or not np.isfinite(Z).all():
        raise _unusable_shape("embeddings", Z.shape, "finite numbers of shape (n, latents)")
    if n < 1:
        raise InputError(argument="n", value=n, allowed="1 or more")
    has_label: Bools = np.zeros(len(Z), dtype=bool) if labelled is None else np.asarray(labelled)
    if has_label.shape != (len(Z),) or has_label.dtype != bool:
        remedy = f"one True or False for each of {len(Z)} samples"
        raise _unusable_shape("labelled", has_label.shape, remedy)
    if has_label.all():
        raise InputError("every sample has a label, none is left to suggest; give further samples")
    further = Z[:0] if labelled_embeddings is None else np.asarray(labelled_embeddings)
    if further.ndim != 2 or further.shape[1] != Z.shape[1]:
        remedy = f"{Z.shape[1]} columns, as the embeddings have"
        raise _unusable_shape("labelled_embeddings", further.shape, remedy)
    doubt = np.ones(len(Z)) if probabilities is None else uncertainty(probabilities)
    if len(doubt) != len(Z):
        raise _unusable_shape("probabilities", doubt.shape, f"those of {len(Z)} embeddings")
    distance = distance_to_labelled(Z, np.concatenate([Z[has_label], further]))
    weights = doubt * np.where(np.isinf(distance), 1.0, distance)
    # A floor: k-means needs weights, even where nothing is in doubt.
    weights = np.maximum(weights, 1e-9 * max(float(weights.max()), 1e-300))
    Z, free = (Z - Z.mean(axis=0)) / _deviation(Z), np.flatnonzero(~has_label)
    rng = np.random.default_rng(seed)
    free = rng.permutation(free)  # equal weights come in no order: data is often sorted
    share = 1.0 if probabilities is None else _POOL
    size = min(max(math.ceil(share * len(free)), _POOL_FACTOR * n), len(free))
    pool = free[np.argsort(-weights[free], kind="stable")[:size]]
    largest = max(_CLUSTERED, 10 * n)
    if size > largest:
        pool = np.sort(rng.choice(pool, largest, replace=False))
    chosen = _nearest_to_centres(Z[pool], weights[pool], n, int(rng.integers(2**31)))
    index = pool[chosen]
    # Samples that are all alike make fewer clusters; the heaviest of the others fill them up.
    rest = free[~np.isin(free, index)]
    missing = min(n, len(free)) - len(index)
    index = np.concatenate([index, rest[np.argsort(-weights[rest], kind="stable")[:missing]]])
    return index[np.argsort(-weights[index], kind="stable")]


def uncertainty(probabilities: Array) -> Floats:
    """Return one less the margin between the two most probable classes, shape (N,), in [0, 1]."""
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2 or not np.isfinite(p).all():
        raise _unusable_shape(
            "probabilities", p.shape, "finite numbers (n, classes), 2 classes or more"
        )
    top = np.partition(p, -2, axis=1)[:, -2:]
    return np.clip(1.0 - (top[:, 1] - top[:, 0]), 0.0, 1.0)


def distance_to_labelled(embeddings: Array, labelled_embeddings: Array) -> Floats:
    """Return the distance of each sample to the nearest labelled one, shape (N,).

    In standard deviations of each dimension; infinite where nothing is labelled.
    """
    Z = np.asarray(embeddings, dtype=np.float64)
    L = np.asarray(labelled_embeddings, dtype=np.float64)
    if not len(L):
        return np.full(len(Z), np.inf)
    scale = _deviation(Z)
    distances: Floats = pairwise_distances_argmin_min(Z / scale, L / scale)[1]
    return distances


def _deviation(Z: Array) -> Floats:
    deviation = Z.std(axis=0)
    return np.where(deviation > 0.0, deviation, 1.0)


def _nearest_to_centres(Z: Array, weights: Array, n: int, seed: int) -> Indices:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer samples than clusters
        clusters = min(n, len(Z))
        fitted = KMeans(clusters, n_init=1, random_state=seed).fit(Z, sample_weight=weights)
    distance = np.square(Z - fitted.cluster_centers_[fitted.labels_]).sum(axis=1)
    order = np.lexsort((distance, fitted.labels_))
    return order[np.unique(fitted.labels_[order], return_index=True)[1]]


def _unusable_shape(argument: str, shape: tuple[object, ...], wanted: str) -> InputError:
    return InputError(f"has shape {shape}", argument=argument, remedy=f"give {wanted}")
