"""Fitted detectors as plain JSON values and named arrays, and back: no pickle."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from cuello.anomalies.base import SCORES
from cuello.anomalies.detector import AnomalyDetector
from cuello.anomalies.fitted import COMBINED, FittedScores, ScoreTail
from cuello.arrays import Record
from cuello.errors import CuelloWarning
from cuello.estimators import Autoencoder

__all__ = ["arrays_of_detector", "detector_of", "record_detector"]


def record_detector(detector: AnomalyDetector) -> Record:
    """Return everything but the arrays and the autoencoder."""
    check_is_fitted(detector, "scores_")
    params = detector.get_params(deep=False)
    del params["autoencoder"], params["random_state"]
    fitted = detector.scores_
    return {
        "params": params,
        "threshold": detector.threshold_,
        "scores": {name: list(learned) for name, learned in fitted.learned.items()},
        "combined": list(fitted.members),
        "held_out": fitted.n_held_out,
    }


def arrays_of_detector(detector: AnomalyDetector) -> dict[str, Tensor]:
    """Return the learned arrays, by ``learned/SCORE/ARRAY`` and ``tails/SCORE``."""
    fitted = detector.scores_
    arrays = {
        f"learned/{score}/{name}": array
        for score, learned in fitted.learned.items()
        for name, array in learned.items()
    } | {f"tails/{name}": tail.scores for name, tail in fitted.tails.items()}
    return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}


def detector_of(
    record: Record, arrays: Mapping[str, Tensor], autoencoder: Autoencoder
) -> AnomalyDetector:
    """Rebuild the detector that :func:`record_detector` and :func:`arrays_of_detector` describe.

    Scores that are not registered here are left out. Raise KeyError, TypeError or ValueError where
    record, arrays and autoencoder do not belong together.
    """
    method, members = record["params"]["method"], tuple(record["combined"])
    for name in [name for name in record["scores"] if name not in SCORES]:
        problem = f"the anomaly score {name!r} is not registered; import the module that defines it"
        if name in (method, *members):
            raise ValueError(problem)
        warnings.warn(f"{problem}, or do without", CuelloWarning, stacklevel=2)
    learned = {
        name: {key: arrays[f"learned/{name}/{key}"].numpy() for key in keys}
        for name, keys in record["scores"].items()
        if name in SCORES
    }
    for name, kept in learned.items():
        if kept:
            SCORES[name].check(kept, autoencoder)
    tails = {name: ScoreTail(arrays[f"tails/{name}"].numpy()) for name in (*learned, COMBINED)}
    detector = AnomalyDetector(autoencoder, **record["params"])
    detector.autoencoder_ = autoencoder
    detector.n_features_in_ = autoencoder.n_features_in_
    detector.scores_ = FittedScores(learned, tails, members, int(record["held_out"]))
    detector.threshold_ = float(record["threshold"])
    detector.offset_ = -detector.threshold_
    detector.false_positive_rate_ = detector.scores_.count_positives(method, detector.threshold_)
    return detector
