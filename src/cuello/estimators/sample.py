"""New samples, decoded from new embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cuello.arrays import Array, Codes, Float32s
from cuello.errors import Argument, InputError, Use, unknown
from cuello.estimators.inputs import check_whole
from cuello.estimators.mixture import fit_mixture
from cuello.estimators.network import TrainedNetwork

__all__ = [
    "SAMPLERS",
    "ReferenceEmbeddings",
    "draw_embeddings",
    "draw_samples",
    "resolve_sampler",
]

SAMPLERS = ("auto", "prior", "mixture")
"""Distributions that new embeddings are drawn from."""


@dataclass(frozen=True)
class ReferenceEmbeddings:
    """Embeddings of real samples, and the class of each where it is labelled.

    Parameters
    ----------
    embeddings : ndarray of shape (n, K) or None
        None: there are none.
    labels : ndarray of shape (n,) or None
        Classes; -1 where a sample has no label.
    """

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
        drawn = draw_embeddings(network, n, sampler, reference.embeddings, rng)
        codes = None if classes is None else _class_codes(network, classes, n)
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
    """Return ``prior`` or ``mixture``.

    ``auto`` is the mixture, which comes nearer to real samples whatever the kind (Ghosh et al.,
    "From variational to deterministic autoencoders", ICLR 2020, arXiv:1903.12436; ``benchmarks
    samples`` measures it). Without embeddings of real samples it is the prior, if there is one.

    Raises
    ------
    InputError
        If it is neither, or the kind has no prior.
    """
    if sampler not in SAMPLERS:
        raise unknown("sampler", sampler, SAMPLERS)
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


def _class_codes(network: TrainedNetwork, classes: Sequence[Any], n: int) -> Codes:
    """Return the class code of each new sample: the classes in turn."""
    names = network.classes.tolist()
    _check_class_names(classes, names)
    return np.resize(np.array([names.index(name) for name in classes], dtype=np.int64), n)


def _draw_by_class(
    network: TrainedNetwork,
    n: int,
    classes: Sequence[Any],
    reference: ReferenceEmbeddings,
    rng: np.random.RandomState,
) -> Float32s:
    """Draw each class from a mixture that is fitted to its embeddings alone."""
    embeddings, labels = reference.embeddings, reference.labels
    if embeddings is None or labels is None:
        raise InputError(
            "needs X and y: samples of those classes, to whose embeddings a mixture is fitted "
            "class by class",
            argument="classes",
            value=list(classes),
        )
    _check_class_names(classes, [name for name in np.unique(labels).tolist() if name != -1])
    drawn = np.empty((n, embeddings.shape[1]), dtype=np.float32)
    for start, name in enumerate(classes):
        of_class = embeddings[labels == name]
        wanted = len(drawn[start :: len(classes)])
        if wanted:
            drawn[start :: len(classes)] = draw_embeddings(
                network, wanted, "mixture", of_class, rng
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
