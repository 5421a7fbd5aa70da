"""Anomalies: scores of how far samples are from normal ones, and thresholds on them."""

from __future__ import annotations

from cuello.anomalies.base import SCORES, EncodedSamples, Score, register_score
from cuello.anomalies.detector import AnomalyDetector
from cuello.anomalies.fitted import ScoreTail
from cuello.anomalies.scores import NeighbourDistance

__all__ = [
    "SCORES",
    "AnomalyDetector",
    "EncodedSamples",
    "NeighbourDistance",
    "Score",
    "ScoreTail",
    "register_score",
]
