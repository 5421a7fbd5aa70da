"""Scores that have learned from reference samples, calibrated on held-out ones, and combined.

Shapes: n samples, m held-out samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logsumexp

from cuello.anomalies.base import SCORES, EncodedSamples, data_type
from cuello.arrays import Array, Floats
from cuello.metrics import Interval, accuracy_interval

__all__ = ["COMBINED", "FittedScores", "ScoreTail"]

COMBINED = "combined"
_BEND = 0.9  # share of the held-out samples that are counted; beyond, an exponential is fitted
_MOST_SCORES = 10_000


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
        if len(ordered) > _MOST_SCORES:
            ordered = np.quantile(ordered, np.linspace(0.0, 1.0, _MOST_SCORES))
        return cls(ordered)

    def anomaly_scores(self, scores: Floats) -> Floats:
        """Return minus the decimal logarithm of that probability, (n,), 0 or more.

        2 means that one normal sample in a hundred scores as high.
        """
        m = len(self.scores)
        start = min(int(np.ceil(_BEND * m)), m - 1)
        bend, beyond = self.scores[start], self.scores[start:]
        # 1 where held-out samples cannot tell, as scores are logarithms.
        excess = float((beyond[1:] - bend).mean()) if beyond[-1] > bend else 1.0
        points, first = np.unique(self.scores[: start + 1], return_index=True)
        counted = -np.log10((m - first + 1.0) / (m + 1.0))
        rarity: Floats = np.interp(scores, points, counted)
        rarity += np.log10(np.e) * (np.maximum(scores - bend, 0.0) / excess)
        return rarity


@dataclass(frozen=True)
class FittedScores:
    """All scores of an autoencoder, on one scale: powers of ten of rarity among normal samples.

    ``combined`` is the harmonic mean of the probabilities that a normal sample scores as high: one
    small probability is enough, and scores may depend on each other (Wilson, "The harmonic mean
    p-value for combining dependent tests", PNAS 116, 2019). The mean is compared with those of
    held-out samples, so that it is a probability again.
    """

    learned: Mapping[str, Mapping[str, Array]]
    """Arrays that each score keeps of the reference samples."""
    tails: Mapping[str, ScoreTail]
    """Distribution of each score, and of ``combined``, over held-out samples."""
    members: tuple[str, ...]
    """Scores that ``combined`` includes."""
    n_held_out: int

    @classmethod
    def fit(cls, reference: EncodedSamples, held_out: EncodedSamples, seed: int) -> Self:
        """Learn every score that the autoencoder has."""
        model = reference.model
        learned: dict[str, Mapping[str, Array]] = {}
        tails: dict[str, ScoreTail] = {}
        scores: dict[str, Floats] = {}
        for name, score in SCORES.items():
            if not score.find_obstacle(model, model.shape_):
                learned[name] = score.learn(reference, seed)
                raw = score(held_out, learned[name])
                tails[name] = ScoreTail.of(raw)
                scores[name] = tails[name].anomaly_scores(raw)
        kind = data_type(model, model.shape_)
        members = tuple(name for name in learned if kind in SCORES[name].combined_for)
        tails[COMBINED] = ScoreTail.of(_harmonic_mean([scores[name] for name in members]))
        return cls(learned, tails, members, len(held_out))

    def score(self, name: str, samples: EncodedSamples) -> Floats:
        """Return one score, or ``combined``, of each sample, (n,)."""
        if name == COMBINED:
            raw = _harmonic_mean([self.score(member, samples) for member in self.members])
        else:
            raw = SCORES[name](samples, self.learned[name])
        return self.tails[name].anomaly_scores(raw)

    def score_all(self, samples: EncodedSamples) -> dict[str, Floats]:
        """Return ``combined`` and every single score of each sample, (n,) each."""
        scores = {name: self.score(name, samples) for name in self.learned}
        mean = _harmonic_mean([scores[name] for name in self.members])
        return {COMBINED: self.tails[COMBINED].anomaly_scores(mean), **scores}

    def count_positives(self, name: str, threshold: float) -> Interval:
        """Return the share of held-out samples above a threshold, with its exact interval."""
        tail = self.tails[name]
        share = float((tail.anomaly_scores(tail.scores) > threshold).mean())
        # A tail of many samples keeps quantiles only.
        return accuracy_interval(round(share * self.n_held_out), self.n_held_out, method="exact")


def _harmonic_mean(scores: list[Floats]) -> Floats:
    """Return minus the logarithm of the harmonic mean of probabilities, in nats."""
    mean: Floats = logsumexp(np.log(10.0) * np.stack(scores), axis=0) - np.log(len(scores))
    return mean
