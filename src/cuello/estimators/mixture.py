"""Mixtures of Gaussians that embeddings are drawn from."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from cuello.arrays import Array

__all__ = ["fit_mixture"]

_MOST_EMBEDDINGS = 10_000
_VALIDATION_SHARE = 0.2
_MOST_COMPONENTS = 128
_RIDGE = 1e-4  # of the mean variance of the latents, added to each component's


def fit_mixture(embeddings: Array, seed: int) -> GaussianMixture:
    """Fit to embeddings (n, K) the mixture under which held-out ones are most probable.

    The number of components is doubled from 1 on for as long as the log-likelihood of a held-out
    fifth of the embeddings rises; the best number is then fitted to all. Up to 10,000 embeddings,
    drawn at random, are used.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> embeddings = np.concatenate([rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 20.0])
    >>> fit_mixture(embeddings, seed=0).n_components
    2
    """
    order = np.random.default_rng(seed).permutation(len(embeddings))[:_MOST_EMBEDDINGS]
    rows = embeddings[order].astype(np.float64)  # a covariance in float32 need not be one
    held_out, kept = np.split(rows, [round(_VALIDATION_SHARE * len(rows))])
    best, components, highest = 1, 1, -np.inf
    # A component has K (K + 3) / 2 numbers; with fewer rows than K each, most are the ridge alone.
    most = min(_MOST_COMPONENTS, len(kept) // (2 * (rows.shape[1] + 1)))
    while len(held_out) and components <= most:
        likelihood = _fit(kept, components, seed).score(held_out)
        if likelihood <= highest:
            break
        best, highest, components = components, likelihood, 2 * components
    return _fit(rows, best, seed)


def _fit(rows: Array, components: int, seed: int) -> GaussianMixture:
    ridge = _RIDGE * max(float(rows.var(axis=0).mean()), 1e-12)
    mixture = GaussianMixture(components, reg_covar=ridge, random_state=seed)
    with warnings.catch_warnings():
        # As far as it came is as good a law to draw from; a few rows may be equal, too.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(rows)
