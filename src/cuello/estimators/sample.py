"""New rows, decoded from new codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from cuello.errors import InputError, unknown
from cuello.estimators.batches import in_batches
from cuello.estimators.mixture import fit_mixture
from cuello.kinds import KINDS

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = [
    "SAMPLERS",
    "ReferenceEmbeddings",
    "resolve_sampler",
    "decode_embeddings",
    "draw_embeddings",
    "sample",
]

Array = npt.NDArray[Any]

SAMPLERS = ("auto", "prior", "mixture")
"""Where new codes come from."""


@dataclass(frozen=True)
class ReferenceEmbeddings:
    """Codes of real rows, and the class of each where known.

    Parameters
    ----------
    codes : ndarray of shape (n, K) or None
        None: nothing is known.
    labels : ndarray of shape (n,) or None
        Classes; -1 where a row has none.
    """

    codes: Array | None = None
    labels: Array | None = None


def sample(
    model: Autoencoder,
    n: int,
    *,
    sampler: str,
    classes: Sequence[Any] | None,
    known: ReferenceEmbeddings,
    rng: np.random.RandomState,
) -> npt.NDArray[np.float32]:
    """Return n new rows; see ``Autoencoder.sample``."""
    if n < 1 or n != int(n):
        raise InputError(f"n={n!r} must be a whole number of rows from 1 on.")
    sampler = resolve_sampler(model, sampler, known=known.codes is not None)
    conditional = KINDS[model.kind].needs_labels
    if classes is None or conditional:
        codes = draw_embeddings(model, int(n), sampler, known.codes, rng)
        return decode_embeddings(
            model, codes, None if classes is None else _told(model, classes, n)
        )
    if sampler != "mixture":
        raise InputError(
            f"classes={list(classes)!r}: the prior of kind={model.kind!r} knows no classes; use "
            "how='mixture' with X and y, or fit kind='conditional'."
        )
    return decode_embeddings(model, _of_classes(model, int(n), classes, known, rng), None)


def resolve_sampler(model: Autoencoder, sampler: str, *, known: bool) -> str:
    """Return ``prior`` or ``mixture``.

    ``auto`` is the mixture, which comes nearer to real rows whatever the kind (Ghosh et al., "From
    variational to deterministic autoencoders", ICLR 2020, arXiv:1903.12436; ``benchmarks samples``
    measures it). Where no code of a real row is known, it is the prior, if there is one.

    Raises
    ------
    InputError
        If it is neither, or the kind has no prior.
    """
    if sampler not in SAMPLERS:
        raise unknown("how", sampler, SAMPLERS)
    if sampler == "auto":
        return "prior" if not known and KINDS[model.kind].normal_prior else "mixture"
    if sampler == "prior" and model.module_.prior(1) is None:
        raise InputError(
            f"how='prior': codes of kind={model.kind!r} follow no law that is known before the "
            "data; use how='mixture', which is fitted to codes."
        )
    return sampler


def draw_embeddings(
    model: Autoencoder, n: int, sampler: str, codes: Array | None, rng: np.random.RandomState
) -> npt.NDArray[np.float32]:
    """Draw codes (n, K) from the prior, or from a mixture that is fitted to ``codes``."""
    seed = int(rng.randint(2**31 - 1))
    if sampler == "prior":
        drawn = model.module_.prior(n, torch.Generator().manual_seed(seed))
        assert drawn is not None
        return drawn.numpy()
    if codes is None:
        raise InputError(
            "X=None: a model that was not trained here (one from a run folder, for example) keeps "
            "no codes of its rows; give X, rows to whose codes the mixture is fitted."
        )
    mixture = fit_mixture(codes, seed)
    mixture.set_params(random_state=rng)
    drawn = mixture.sample(n)[0]  # one component after the other
    return rng.permutation(drawn).astype(np.float32)


@torch.no_grad()
def decode_embeddings(
    model: Autoencoder, codes: npt.NDArray[np.float32], told: npt.NDArray[np.int64] | None
) -> npt.NDArray[np.float32]:
    """Decode codes that came from nowhere in the data, in the data's own units.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    codes : ndarray of shape (n, K)
        Moved to where codes can be.
    told : ndarray of shape (n,) or None
        Class codes that the decoder of a conditional kind is told; None: drawn, as often as they
        are.
    """
    module: Any = model.module_

    def decoded(start: int, stop: int) -> torch.Tensor:
        z = module.nearest_embedding(torch.from_numpy(codes[start:stop]))
        if told is None:
            rows: torch.Tensor = module.decode(z)
            return rows
        of_class: torch.Tensor = module.decode(z, torch.from_numpy(told[start:stop]))
        return of_class

    return model.scaling_.invert(in_batches(len(codes), decoded, model.shape_))


def _told(model: Autoencoder, classes: Sequence[Any], n: int) -> npt.NDArray[np.int64]:
    """Return the class code of each new row: the classes in turn."""
    names = model.classes_.tolist()
    _check_classes(classes, names)
    codes = np.array([names.index(name) for name in classes], dtype=np.int64)
    return np.resize(codes, n)


def _of_classes(
    model: Autoencoder,
    n: int,
    classes: Sequence[Any],
    known: ReferenceEmbeddings,
    rng: np.random.RandomState,
) -> npt.NDArray[np.float32]:
    """Draw each class from a mixture that is fitted to its own codes."""
    if known.codes is None or known.labels is None:
        raise InputError(
            f"classes={list(classes)!r} needs X and y: rows of those classes, to whose codes a "
            "mixture is fitted class by class."
        )
    _check_classes(classes, [name for name in np.unique(known.labels).tolist() if name != -1])
    drawn = np.empty((n, known.codes.shape[1]), dtype=np.float32)
    for place, name in enumerate(classes):
        own = known.codes[known.labels == name]
        wanted = len(drawn[place :: len(classes)])
        if wanted:
            drawn[place :: len(classes)] = draw_embeddings(model, wanted, "mixture", own, rng)
    return drawn


def _check_classes(classes: Sequence[Any], there: list[Any]) -> None:
    for name in classes:
        if name not in there:
            raise InputError(
                f"classes={list(classes)!r}: {name!r} is none of those there are: {there!r}."
            )
    if not len(classes):
        raise InputError("classes=[] names no class; leave it at None for rows of any.")
