"""How improbable a score is among usual rows, and how well that is known.

Shapes: n rows, m held-out rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["Tail"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

BEND = 0.9
"""Share of the held-out rows up to which they are counted; beyond, an exponential is fitted."""
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Tail:
    """The probability that a usual row scores at least so high.

    Where held-out rows are many it is their share, counted as conformal prediction does, so that it
    is never promised too small (Vovk, Gammerman and Shafer, "Algorithmic learning in a random
    world", 2005), on a line between one row and the next; in the highest tenth an exponential of
    the same mean excess goes on where counting ends (Pickands, "Statistical inference using extreme
    order statistics", Annals of Statistics 3, 1975, for scores that are logarithms).

    Parameters
    ----------
    scores : ndarray of shape (m,)
        Of usual rows, sorted.

    Examples
    --------
    >>> tail = Tail.of(np.arange(100.0))
    >>> tail.surprise(np.array([-1.0, 50.0, 89.0, 200.0])).round(2).tolist()
    [0.0, 0.3, 0.93, 10.52]
    """

    scores: Floats

    @classmethod
    def of(cls, scores: Floats) -> Self:
        """Keep the scores of usual rows, at most 10,000 quantiles of them."""
        ordered = np.sort(np.asarray(scores, dtype=np.float64))
        if len(ordered) > MOST_ROWS:
            ordered = np.quantile(ordered, np.linspace(0.0, 1.0, MOST_ROWS))
        return cls(ordered)

    def surprise(self, scores: Floats) -> Floats:
        """Return minus the decimal logarithm of that probability, (n,): 0 for the most usual row.

        2 says that one usual row in a hundred is as strange.
        """
        m = len(self.scores)
        start = min(int(np.ceil(BEND * m)), m - 1)
        bend, beyond = self.scores[start], self.scores[start:]
        # One, as scores are logarithms, where held-out rows do not tell.
        excess = float((beyond[1:] - bend).mean()) if beyond[-1] > bend else 1.0
        points, first = np.unique(self.scores[: start + 1], return_index=True)
        counted = -np.log10((m - first + 1.0) / (m + 1.0))
        surprise: Floats = np.interp(scores, points, counted)
        further = np.maximum(scores - bend, 0.0) / excess
        surprise += np.log10(np.e) * further
        return surprise
