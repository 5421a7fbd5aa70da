"""Accuracy and calibration of a classifier, by labels that it did not learn from.

Shapes: n labelled samples, C outputs of the head.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cuello.arrays import Array
from cuello.errors import CuelloWarning
from cuello.few_label.task import SingleLabel, Task
from cuello.metrics import Interval, accuracy_interval, expected_calibration_error, temperature

__all__ = ["TOO_WIDE", "Confidence", "assess", "tempered"]

MAX_WIDTH = 0.2
"""Of the interval of an accuracy: a wider one tells little."""
TOO_WIDE = "the accuracy is only known to be"
"""How the warning of such an interval begins, for whoever compares many classifiers."""
_BIN_SAMPLES = 20  # what expected_calibration_error advises for few samples


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Temperature and accuracy by held-out scores, and both in plain sentences.

    The estimate is None where nothing was held out, or labels are no classes.
    """

    temperature: float = 1.0
    estimate: Interval | None = None
    summary: Sequence[str] = ()


def assess(task: Task, held_out: Array, y: Array, *, find_temperature: bool) -> Confidence:
    """Estimate accuracy and temperature of a classifier from held-out scores.

    Parameters
    ----------
    task : Task
        The type of the labels.
    held_out : ndarray of shape (n, C)
        Scores of labelled samples by models that were not trained on them; NaN where there are
        none.
    y : ndarray of shape (n,)
        Targets of those samples.
    find_temperature : bool
        Whether to find a temperature; if not, it is 1.

    Warns
    -----
    CuelloWarning
        If the interval is wider than :data:`MAX_WIDTH`.

    Examples
    --------
    >>> from cuello.few_label import Multiclass
    >>> scores = np.repeat([[4.0, 0.0]], 100, axis=0)  # a probability of 98 %
    >>> y = np.arange(100) % 10 // 9
    >>> confidence = assess(Multiclass(2), scores, y, find_temperature=True)
    >>> confidence.temperature > 1.5, [round(share, 2) for share in confidence.estimate]
    (True, [0.9, 0.83, 0.94])
    """
    finite = np.isfinite(held_out).all(axis=1)
    if not isinstance(task, SingleLabel) or not finite.any():
        return Confidence()
    scores, y = held_out[finite], y[finite]
    # Networks of folds learn from fewer labels, and some for fewer steps, so they are less
    # confident than the one that is kept: they may make it less confident, never more.
    t = temperature(_class_scores(task, scores), y) if find_temperature else 1.0
    t = max(t, 1.0)
    p = tempered(task, scores, t)
    estimate = accuracy_interval(int((p.argmax(axis=1) == y).sum()), len(y))
    error = expected_calibration_error(p, y, max(round(len(y) / _BIN_SAMPLES), 2))
    _warn_of_width(estimate, len(y))
    summary = [
        f"Accuracy: about {_percent(estimate.estimate)}, and between {_percent(estimate.low)} and "
        f"{_percent(estimate.high)} with 95 % confidence, by {len(y)} labelled samples, each "
        "predicted by a model that learned without it and from fewer labels: a cautious figure.",
        "On those samples the probability of the prediction differs from how often it is right by "
        f"{100 * error:.1f} points on average (expected calibration error; temperature {t:.2f}).",
    ]
    return Confidence(temperature=t, estimate=estimate, summary=summary)


def tempered(task: Task, scores: Array, temperature: float) -> Array:
    """Return probabilities (n, classes) of scores (n, C), the more even the higher the temperature.

    Examples
    --------
    >>> from cuello.few_label import Multiclass
    >>> tempered(Multiclass(2), np.array([[0.0, 2.0]]), 2.0).round(3)
    array([[0.269, 0.731]])
    """
    # In double precision, so that scores that differ still do.
    wide: Array = scores.astype(np.float64) / temperature
    return task.link(wide)


def _class_scores(task: SingleLabel, scores: Array) -> Array:
    class_scores: Array = task.to_classes(torch.from_numpy(scores)).numpy()
    return class_scores


def _warn_of_width(estimate: Interval, n: int) -> None:
    if _width(estimate) <= MAX_WIDTH:
        return
    share = estimate.estimate
    enough = 10
    while _width(accuracy_interval(round(share * enough), enough)) > MAX_WIDTH:
        enough += 10
    warnings.warn(
        f"{TOO_WIDE} between {_percent(estimate.low)} and {_percent(estimate.high)}: {n} labels "
        f"are few to measure it by; about {enough} would narrow it to {100 * MAX_WIDTH:.0f} "
        "points.",
        CuelloWarning,
        stacklevel=2,
    )


def _width(interval: Interval) -> float:
    return interval.high - interval.low


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
