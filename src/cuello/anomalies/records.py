"""A fitted detector as plain JSON values and named arrays, and back: no pickle."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from cuello.anomalies.detector import AnomalyDetector
from cuello.anomalies.scores import SCORES
from cuello.anomalies.tails import Tail
from cuello.estimators import Autoencoder
from cuello.estimators.records import Record
from cuello.metrics import Interval

__all__ = ["arrays_of_detector", "detector_of", "record_detector"]


def record_detector(detector: AnomalyDetector) -> Record:
    """Return everything but the arrays and the autoencoder."""
    check_is_fitted(detector, "tails_")
    params = detector.get_params(deep=False)
    del params["autoencoder"], params["random_state"]
    return {
        "params": params,
        "scores": list(detector.learned_),
        "threshold": detector.threshold_,
        "false_positive_rate": list(detector.false_positive_rate_),
        "held_out_rows": detector.held_out_rows_,
    }


def arrays_of_detector(detector: AnomalyDetector) -> dict[str, Tensor]:
    """Return what it has learned, by ``learned/SCORE/NAME`` and ``tails/SCORE``."""
    arrays = {
        f"learned/{score}/{name}": array
        for score, learned in detector.learned_.items()
        for name, array in learned.items()
    } | {f"tails/{name}": tail.scores for name, tail in detector.tails_.items()}
    return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}


def detector_of(
    record: Record, arrays: Mapping[str, Tensor], autoencoder: Autoencoder
) -> AnomalyDetector:
    """Rebuild what :func:`record_detector` and :func:`arrays_of_detector` describe.

    Raises
    ------
    KeyError, TypeError, ValueError
        If they do not belong together, or to the autoencoder.
    """
    detector = AnomalyDetector(autoencoder, **record["params"])
    detector.autoencoder_ = autoencoder
    detector.n_features_in_ = autoencoder.n_features_in_
    detector.learned_ = {name: {} for name in record["scores"]}
    for name, array in arrays.items():
        what, _, rest = name.partition("/")
        if what == "learned":
            score, _, key = rest.partition("/")
            detector.learned_[score] = {**detector.learned_[score], key: array.numpy()}
    detector.tails_ = {
        name: Tail(arrays[f"tails/{name}"].numpy()) for name in (*record["scores"], "combined")
    }
    for name, learned in detector.learned_.items():
        width = SCORES[name].width(autoencoder)
        if any(array.shape[-1] != width for array in learned.values()):
            raise ValueError(f"the detector's score {name!r} is of another autoencoder")
    if not {*detector.combined_} <= {*detector.learned_}:
        raise ValueError("the detector lacks a score that is put together")
    detector.threshold_ = float(record["threshold"])
    detector.offset_ = -detector.threshold_
    detector.false_positive_rate_ = Interval(*record["false_positive_rate"])
    detector.held_out_rows_ = int(record["held_out_rows"])
    return detector
