"""New samples, decoded from embeddings that are drawn or lie between two others.

Shapes: n samples, K latents, S steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from cuello.arrays import Array, Codes, Float32s
from cuello.errors import Argument, InputError, Use, unknown
from cuello.estimators.inputs import check_whole
from cuello.estimators.network import TrainedNetwork

__all__ = [
    "ReferenceEmbeddings",
    "draw_embeddings",
    "draw_samples",
    "fit_mixture",
    "linear",
    "resolve_sampler",
    "spherical",
]

_SAMPLERS = ("auto", "prior", "mixture")
_PARALLEL = 1e-4  # sine of the angle, below which two embeddings span no arc
_MOST_EMBEDDINGS = 10_000
_VALIDATION_SHARE = 0.2
_MOST_COMPONENTS = 128
_RIDGE = 1e-4  # of the mean variance of the latents, added to each component's


class ReferenceEmbeddings(NamedTuple):
    """Embeddings (n, K) of real samples, and the class of each, -1 where it has no label."""

    embeddings: Array | None = None
    labels: Array | None = None


def draw_samples(
    network: TrainedNetwork,
    n: int,
    *,
    sampler: str,
    classes: Sequence[Any] | None,
    reference: ReferenceEmbeddings,
    rng: np.random.RandomState,
) -> Float32s:
    """Return n new samples; see ``Autoencoder.sample``."""
    n = check_whole("n", n)
    sampler = resolve_sampler(network, sampler, has_reference=reference.embeddings is not None)
    if classes is None or network.module.needs_labels:
        codes: Codes | None = None
        if classes is not None:
            names = network.classes.tolist()
            _check_class_names(classes, names)
            codes = np.resize(np.array([names.index(name) for name in classes], dtype=np.int64), n)
        drawn = draw_embeddings(network, n, sampler, reference.embeddings, rng)
        return network.decode_nearest(drawn, codes)
    if sampler != "mixture":
        raise InputError(
            [
                "cannot be drawn from the prior of ",
                Argument("kind", network.kind),
                ", which knows no classes",
            ],
            argument="classes",
            value=list(classes),
            remedy=[
                Use("sampler", "mixture"),
                " with X and y, or fit ",
                Argument("kind", "conditional"),
            ],
        )
    return network.decode_nearest(_draw_by_class(network, n, classes, reference, rng))


def resolve_sampler(network: TrainedNetwork, sampler: str, *, has_reference: bool) -> str:
    """Return ``prior`` or ``mixture``; raise InputError if it is neither, or there is no prior.

    ``auto`` is the mixture, which comes nearer to real samples whatever the kind (Ghosh et al.,
    "From variational to deterministic autoencoders", ICLR 2020, arXiv:1903.12436; ``benchmarks
    samples`` measures it). Without embeddings of real samples it is the prior, if there is one.
    """
    if sampler not in _SAMPLERS:
        raise unknown("sampler", sampler, _SAMPLERS)
    if sampler == "auto":
        return "prior" if not has_reference and network.module.normal_prior else "mixture"
    if sampler == "prior" and network.module.prior(1) is None:
        raise InputError(
            [
                "is not for ",
                Argument("kind", network.kind),
                ", whose embeddings follow no distribution that is known before the data",
            ],
            argument="sampler",
            value=sampler,
            remedy=[Use("sampler", "mixture"), ", which is fitted to embeddings"],
        )
    return sampler


def draw_embeddings(
    network: TrainedNetwork,
    n: int,
    sampler: str,
    embeddings: Array | None,
    rng: np.random.RandomState,
) -> Float32s:
    """Draw embeddings (n, K) from the prior, or from a mixture fitted to ``embeddings``."""
    seed = int(rng.randint(2**31 - 1))
    if sampler == "prior":
        prior = network.module.prior(n, torch.Generator().manual_seed(seed))
        assert prior is not None
        return prior.numpy()
    if embeddings is None:
        raise InputError(
            "leaves nothing to fit the mixture to: a model that was not trained here (one from a "
            "run folder, for example) keeps no embeddings",
            argument="X",
            value=None,
            remedy="give X, samples to whose embeddings the mixture is fitted",
        )
    mixture = fit_mixture(embeddings, seed)
    mixture.set_params(random_state=rng)
    drawn = mixture.sample(n)[0]  # one component after the other
    return rng.permutation(drawn).astype(np.float32)


def _draw_by_class(
    network: TrainedNetwork,
    n: int,
    classes: Sequence[Any],
    reference: ReferenceEmbeddings,
    rng: np.random.RandomState,
) -> Float32s:
    """Draw each class from a mixture that is fitted to its embeddings alone."""
    embeddings, labels = reference
    if embeddings is None or labels is None:
        raise InputError(
            "needs X and y: samples of those classes, to whose embeddings a mixture is fitted "
            "class by class",
            argument="classes",
            value=list(classes),
        )
    _check_class_names(classes, [name for name in np.unique(labels).tolist() if name != -1])
    drawn = np.empty((n, embeddings.shape[1]), dtype=np.float32)
    for start, name in enumerate(classes[:n]):
        of_class = drawn[start :: len(classes)]
        of_class[:] = draw_embeddings(
            network, len(of_class), "mixture", embeddings[labels == name], rng
        )
    return drawn


def _check_class_names(classes: Sequence[Any], allowed: list[Any]) -> None:
    for name in classes:
        if name not in allowed:
            raise InputError(
                f"has {name!r}, which is no class of the data",
                argument="classes",
                value=list(classes),
                allowed=", ".join(map(repr, allowed)),
            )
    if not len(classes):
        raise InputError(
            "names no class", argument="classes", value=[], remedy=Use("classes", None)
        )


def fit_mixture(embeddings: Array, seed: int) -> Any:
    """Fit to embeddings (n, K) the Gaussian mixture under which held-out ones are most probable.

    The number of components is doubled from 1 on for as long as the log-likelihood of a held-out
    fifth of the embeddings rises; the best number is then fitted to all. Up to 10,000 embeddings,
    drawn at random, are used.
    """
    order = np.random.default_rng(seed).permutation(len(embeddings))[:_MOST_EMBEDDINGS]
    drawn = embeddings[order].astype(np.float64)  # a covariance in float32 need not be one
    held_out, kept = np.split(drawn, [round(_VALIDATION_SHARE * len(drawn))])
    best, components, highest = 1, 1, -np.inf
    # A component has K (K + 3) / 2 numbers; with fewer samples than K each, most are the ridge.
    most = min(_MOST_COMPONENTS, len(kept) // (2 * (drawn.shape[1] + 1)))
    while len(held_out) and components <= most:
        likelihood = _fit_gaussians(kept, components, seed).score(held_out)
        if likelihood <= highest:
            break
        best, highest, components = components, likelihood, 2 * components
    return _fit_gaussians(drawn, best, seed)


def _fit_gaussians(embeddings: Array, components: int, seed: int) -> Any:
    from sklearn.mixture import GaussianMixture  # a third of a second, for samples alone

    ridge = _RIDGE * max(float(embeddings.var(axis=0).mean()), 1e-12)
    mixture = GaussianMixture(components, reg_covar=ridge, random_state=seed)
    with warnings.catch_warnings():
        # Where it stopped is as good to draw from; a few embeddings may be equal, too.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(embeddings)


def linear(a: Array, b: Array, steps: int) -> Array:
    """Return embeddings (S, K) on the straight line from a to b (K,), evenly spaced."""
    t = np.linspace(0.0, 1.0, steps)[:, None]
    return (1.0 - t) * a + t * b


def spherical(a: Array, b: Array, steps: int) -> Array:
    """Return embeddings (S, K) on the arc from a to b (K,), by even angles.

    Of N(0, I) in many dimensions nearly all draws are about as far from 0; a straight line between
    two of them leads where there are none. Lengths change evenly from that of a to that of b.
    Embeddings that span no arc are joined by the straight line.

    Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985; for latents White,
    "Sampling generative networks", 2016, arXiv:1609.04468.
    """
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if min(lengths) < 1e-9:
        return linear(a, b, steps)
    u, v = a / lengths[0], b / lengths[1]
    angle = np.arccos(np.clip(u @ v, -1.0, 1.0))
    if np.sin(angle) < _PARALLEL:
        return linear(a, b, steps)
    t = np.linspace(0.0, 1.0, steps)[:, None]
    directions = (np.sin((1.0 - t) * angle) * u + np.sin(t * angle) * v) / np.sin(angle)
    path: Array = ((1.0 - t) * lengths[0] + t * lengths[1]) * directions
    return path
