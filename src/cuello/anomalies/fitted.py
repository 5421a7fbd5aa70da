"""Scores that have learned from reference samples, calibrated on held-out ones, and combined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logsumexp

from cuello.anomalies.base import SCORES, EncodedSamples, data_type
from cuello.anomalies.tails import ScoreTail
from cuello.arrays import Array, Floats
from cuello.metrics import Interval, accuracy_interval

__all__ = ["COMBINED", "FittedScores"]

COMBINED = "combined"


@dataclass(frozen=True)
class FittedScores:
    """All scores of an autoencoder, on one scale: powers of ten of rarity among normal samples.

    ``combined`` is the harmonic mean of the probabilities that a normal sample scores as high: one
    small probability is enough, and scores may depend on each other (Wilson, "The harmonic mean
    p-value for combining dependent tests", PNAS 116, 2019). The mean is compared with those of
    held-out samples, so that it is a probability again.

    Parameters
    ----------
    learned : mapping of str to mapping
        Arrays that each score keeps of the reference samples.
    tails : mapping of str to ScoreTail
        Distribution of each score, and of ``combined``, over held-out samples.
    members : tuple of str
        Scores that ``combined`` includes.
    n_held_out : int
        Number of held-out samples.
    """

    learned: Mapping[str, Mapping[str, Array]]
    tails: Mapping[str, ScoreTail]
    members: tuple[str, ...]
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
