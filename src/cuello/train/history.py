"""Records of the epochs of a training."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload

import numpy as np

from cuello.arrays import Floats

__all__ = ["Epoch", "Histories", "NetworkHistory"]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Record of one pass over the training samples.

    ``train`` and ``validation`` hold the mean of each named term over the samples; ``validation``
    is None where there are no validation samples. ``learning_rate`` is that of the last step.
    """

    epoch: int
    train: dict[str, float]
    validation: dict[str, float] | None
    learning_rate: float
    seconds: float

    @property
    def loss(self) -> float:
        """Return the number that early stopping watches: the validation total, or training's."""
        return sum((self.validation or self.train).values())

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Histories:
    """Records of each epoch of N networks, as arrays.

    Parameters
    ----------
    train : dict of str to ndarray (N, E)
        Mean of each term over the samples, in each of E epochs.
    validation : dict of str to ndarray (N, E), or None
        The same on held-out samples.
    rates : ndarray (N, E)
        Learning rate of the last step of each epoch.
    seconds : float
        Time of one epoch of one network.
    """

    train: dict[str, Floats]
    validation: dict[str, Floats] | None
    rates: Floats
    seconds: float

    @functools.cached_property
    def total(self) -> Floats:
        """Return the sum of the training terms, (N, E)."""
        total: Floats = np.sum(list(self.train.values()), axis=0)
        return total

    def finite_epochs(self, i: int) -> int:
        """Return how many epochs network i had before its loss stopped being finite."""
        finite = np.isfinite(self.total[i])
        return len(finite) if finite.all() else int(finite.argmin())


@dataclass(frozen=True)
class NetworkHistory(Sequence[Epoch]):
    """Epochs of one of N networks; each record is made when it is asked for.

    400 networks of 10,000 epochs have four million of them.
    """

    of: Histories
    i: int
    length: int

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Epoch]: ...
    def __getitem__(self, index: int | slice) -> Epoch | list[Epoch]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(self.length))]
        k = range(self.length)[index]
        held_out = self.of.validation
        return Epoch(
            epoch=k,
            train={name: float(v[self.i, k]) for name, v in self.of.train.items()},
            validation=None
            if held_out is None
            else {name: float(v[self.i, k]) for name, v in held_out.items()},
            learning_rate=float(self.of.rates[self.i, k]),
            seconds=self.of.seconds,
        )
