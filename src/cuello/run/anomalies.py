"""Anomalies in further data, by a run's detector, and the features that make them so."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np

from cuello.anomalies import AnomalyDetector
from cuello.anomalies.detector import check_contamination
from cuello.anomalies.fitted import COMBINED
from cuello.arrays import Array, Floats

__all__ = ["ScoredRows", "largest_contributions", "score_rows"]

_NAMED = 3
_ROWS_A_BLOCK = 4096


@dataclass(frozen=True)
class ScoredRows:
    """Anomaly scores of n samples."""

    scores: Floats
    """In powers of ten: of normal samples, one in 100 has a score of 2 or more."""
    by_score: dict[str, Floats]
    """The same by each single score."""
    threshold: float
    """Above it a sample is an anomaly."""
    basis: str
    """Reason of the threshold, in words."""

    def summary(self) -> str:
        """Return the number of anomalies and the basis of the threshold, in words."""
        count = int((self.scores > self.threshold).sum())
        return f"{count} of {len(self.scores)} samples are anomalies ({self.basis})"

    def cells(self, why: list[str]) -> list[list[str]]:
        """Return a line of cells for each sample: score, anomaly or not, single scores, and why."""
        return [
            [
                f"{score:.4f}",
                "yes" if score > self.threshold else "no",
                *(f"{single[i]:.4f}" for single in self.by_score.values()),
                why[i],
            ]
            for i, score in enumerate(self.scores)
        ]


def score_rows(
    detector: AnomalyDetector,
    rows: Array,
    method: str,
    false_positive_rate: float,
    contamination: float | None,
) -> ScoredRows:
    """Return the scores of samples (n, ...), and the threshold that the options ask for."""
    check_contamination(contamination)
    # A copy: other options must not change the detector of the run.
    detector = copy(detector).use(method=method, false_positive_rate=false_positive_rate)
    by_score = detector.single_scores(rows)
    scores = by_score[method]
    del by_score[COMBINED]
    if contamination is None:
        _, low, high = detector.false_positive_rate_
        basis = (
            f"{false_positive_rate:.2%} of normal samples may be: by {detector.scores_.n_held_out} "
            f"held-out samples between {low:.2%} and {high:.2%} are"
        )
        return ScoredRows(scores, by_score, detector.threshold_, basis)
    count = round(contamination * len(rows))
    ranked = np.sort(scores)[::-1]
    threshold = float(np.inf if count == 0 else ranked[min(count, len(rows) - 1)])
    return ScoredRows(scores, by_score, threshold, f"{contamination:.2%} of the samples, as given")


def largest_contributions(
    detector: AnomalyDetector, rows: Array, columns: tuple[str, ...]
) -> list[str]:
    """Return up to three features that add most to each reconstruction error, with their shares."""
    shape = rows.shape[1:]
    texts: list[str] = []
    for start in range(0, len(rows), _ROWS_A_BLOCK):
        errors = np.nan_to_num(detector.contributions(rows[start : start + _ROWS_A_BLOCK]))
        flat = errors.reshape(len(errors), -1)
        shares = flat / np.maximum(flat.sum(axis=1, keepdims=True), 1e-12)
        most = np.argsort(-shares, axis=1, kind="stable")[:, :_NAMED]
        texts += [
            ", ".join(f"{_feature_name(k, shape, columns)} {row[k]:.0%}" for k in features)
            for row, features in zip(shares, most, strict=True)
        ]
    return texts


def _feature_name(k: int, shape: tuple[int, ...], columns: tuple[str, ...]) -> str:
    if len(shape) == 1:
        return columns[k] if k < len(columns) else f"column {k}"
    return f"({' '.join(str(i) for i in np.unravel_index(k, shape))})"
