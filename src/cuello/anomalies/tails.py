"""Anomaly scores as probabilities: how rarely a normal sample scores as high.

Shapes: n samples, m held-out samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from cuello.arrays import Floats

__all__ = ["ScoreTail"]

BEND = 0.9
"""Share of the held-out samples up to which they are counted; beyond, an exponential is fitted."""
MOST_SCORES = 10_000


@dataclass(frozen=True)
class ScoreTail:
    """The probability that a normal sample scores at least so high.

    Where held-out samples are many it is their share, counted as conformal prediction does, so that
    it is never too small (Vovk, Gammerman and Shafer, "Algorithmic learning in a random world",
    2005), interpolated between one sample and the next; in the highest tenth an exponential of the
    same mean excess goes on where counting ends (Pickands, "Statistical inference using extreme
    order statistics", Annals of Statistics 3, 1975, for scores that are logarithms).

    Parameters
    ----------
    scores : ndarray of shape (m,)
        Of normal samples, sorted.

    Examples
    --------
    >>> tail = ScoreTail.of(np.arange(100.0))
    >>> tail.anomaly_scores(np.array([-1.0, 50.0, 89.0, 200.0])).round(2).tolist()
    [0.0, 0.3, 0.93, 10.52]
    """

    scores: Floats

    @classmethod
    def of(cls, scores: Floats) -> Self:
        """Keep the scores of normal samples, at most 10,000 quantiles of them."""
        ordered = np.sort(np.asarray(scores, dtype=np.float64))
        if len(ordered) > MOST_SCORES:
            ordered = np.quantile(ordered, np.linspace(0.0, 1.0, MOST_SCORES))
        return cls(ordered)

    def anomaly_scores(self, scores: Floats) -> Floats:
        """Return minus the decimal logarithm of that probability, (n,), 0 or more.

        2 means that one normal sample in a hundred scores as high.
        """
        m = len(self.scores)
        start = min(int(np.ceil(BEND * m)), m - 1)
        bend, beyond = self.scores[start], self.scores[start:]
        # 1 where held-out samples cannot tell, as scores are logarithms.
        excess = float((beyond[1:] - bend).mean()) if beyond[-1] > bend else 1.0
        points, first = np.unique(self.scores[: start + 1], return_index=True)
        counted = -np.log10((m - first + 1.0) / (m + 1.0))
        found: Floats = np.interp(scores, points, counted)
        found += np.log10(np.e) * (np.maximum(scores - bend, 0.0) / excess)
        return found
