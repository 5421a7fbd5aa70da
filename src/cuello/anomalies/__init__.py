"""Anomalies: how strange rows look to an autoencoder, and from where on that is too strange."""

from __future__ import annotations

from cuello.anomalies.detector import AnomalyDetector
from cuello.anomalies.scores import SCORES, Score, Seen
from cuello.anomalies.tails import Tail

__all__ = ["SCORES", "AnomalyDetector", "Score", "Seen", "Tail"]
