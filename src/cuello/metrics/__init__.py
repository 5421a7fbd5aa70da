"""Measures of quality and their uncertainty: pure functions on arrays."""

from __future__ import annotations

from cuello.metrics.abstention import ABSTAINED, Threshold, decide, find_threshold
from cuello.metrics.calibration import expected_calibration_error, temperature
from cuello.metrics.interval import Interval, accuracy_interval, lower_bound, mean_sd
from cuello.metrics.quality import ProjectionQuality, projection_quality, sample_errors

__all__ = [
    "ABSTAINED",
    "Interval",
    "ProjectionQuality",
    "Threshold",
    "accuracy_interval",
    "decide",
    "expected_calibration_error",
    "find_threshold",
    "lower_bound",
    "mean_sd",
    "projection_quality",
    "sample_errors",
    "temperature",
]
