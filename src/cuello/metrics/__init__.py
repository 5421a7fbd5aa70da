"""How good something is, and how sure that is: pure functions on arrays."""

from __future__ import annotations

from cuello.metrics.abstention import ABSTAINED, Decision, Threshold, decide, find_threshold
from cuello.metrics.calibration import (
    Reliability,
    brier_score,
    expected_calibration_error,
    reliability,
    temperature,
)
from cuello.metrics.difference import frechet_distance, psnr, row_errors, ssim
from cuello.metrics.interval import (
    Interval,
    accuracy_interval,
    lower_bound,
    mean_sd,
    stratified_interval,
)
from cuello.metrics.projection import ProjectionQuality, projection_quality

__all__ = [
    "ABSTAINED",
    "Decision",
    "Interval",
    "ProjectionQuality",
    "Reliability",
    "Threshold",
    "accuracy_interval",
    "brier_score",
    "decide",
    "expected_calibration_error",
    "find_threshold",
    "frechet_distance",
    "lower_bound",
    "projection_quality",
    "mean_sd",
    "psnr",
    "reliability",
    "row_errors",
    "ssim",
    "stratified_interval",
    "temperature",
]
