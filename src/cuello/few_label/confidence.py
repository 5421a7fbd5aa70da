"""How sure a classifier may be, and how right it is, by labels that it did not learn from.

Shapes: n labelled rows, C outputs of the head.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cuello.errors import CuelloWarning
from cuello.few_label.task import SingleLabel, Task
from cuello.metrics import Interval, accuracy_interval, expected_calibration_error, temperature

__all__ = ["TOO_WIDE", "WIDE", "Confidence", "judge", "tempered"]

Array = npt.NDArray[Any]

WIDE = 0.2
"""Of an accuracy's interval: from there on it tells little."""
TOO_WIDE = "the accuracy is only known to be"
"""How the warning of such an interval begins, for whoever compares many classifiers."""
_BIN_ROWS = 20  # what expected_calibration_error advises for few rows


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """What held-out scores say of a solution.

    Parameters
    ----------
    temperature : float
        What scores are divided by before they become probabilities, from 1 on.
    estimate : Interval or None
        The accuracy on held-out rows, and the 95 % interval; None where nothing was held out, or
        labels are no classes.
    said : sequence of str
        The same in plain sentences.
    """

    temperature: float = 1.0
    estimate: Interval | None = None
    said: Sequence[str] = ()


def judge(task: Task, held_out: Array, y: Array, *, temper: bool) -> Confidence:
    """Find out from held-out scores how right a solution is, and how sure it may be.

    Parameters
    ----------
    task : Task
        What labels say.
    held_out : ndarray of shape (n, C)
        Scores of labelled rows by models that were not trained on them; NaN where there are none.
    y : ndarray of shape (n,)
        What the task wanted of those rows.
    temper : bool
        Whether to find a temperature; if not, it is 1.

    Warns
    -----
    CuelloWarning
        If the interval is wider than :data:`WIDE`.

    Examples
    --------
    >>> from cuello.few_label import Multiclass
    >>> scores = np.repeat([[4.0, 0.0]], 100, axis=0)  # 98 % sure
    >>> found = judge(Multiclass(2), scores, np.arange(100) % 10 // 9, temper=True)
    >>> found.temperature > 1.5, [round(share, 2) for share in found.estimate]
    (True, [0.9, 0.83, 0.94])
    """
    known = np.isfinite(held_out).all(axis=1)
    if not isinstance(task, SingleLabel) or not known.any():
        return Confidence()
    scores, y = held_out[known], y[known]
    # Networks of folds learn from fewer labels, and some for fewer steps, so they are less sure
    # than the one that is kept: what they say may make it less sure of its answers, never surer.
    found = temperature(_class_scores(task, scores), y) if temper else 1.0
    found = max(found, 1.0)
    p = tempered(task, scores, found)
    estimate = accuracy_interval(int((p.argmax(axis=1) == y).sum()), len(y))
    error = expected_calibration_error(p, y, max(round(len(y) / _BIN_ROWS), 2))
    _warn(estimate, len(y))
    said = [
        f"Accuracy: about {_percent(estimate.estimate)}, and between {_percent(estimate.low)} and "
        f"{_percent(estimate.high)} with 95 % confidence, by {len(y)} labelled rows, each judged "
        "by a model that learned without it and from fewer labels: a cautious figure.",
        f"On those rows the probability of the answer differs from how often it is right by "
        f"{100 * error:.1f} points on average (expected calibration error; temperature "
        f"{found:.2f}).",
    ]
    return Confidence(temperature=found, estimate=estimate, said=said)


def tempered(task: Task, scores: Array, temperature: float) -> Array:
    """Return probabilities (n, classes) of scores (n, C), less sure the higher the temperature.

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
    found: Array = task.to_classes(torch.from_numpy(scores)).numpy()
    return found


def _warn(estimate: Interval, n: int) -> None:
    if _width(estimate) <= WIDE:
        return
    share = estimate.estimate
    enough = next(
        m for m in itertools.count(10, 10) if _width(accuracy_interval(round(share * m), m)) <= WIDE
    )
    warnings.warn(
        f"{TOO_WIDE} between {_percent(estimate.low)} and {_percent(estimate.high)}: {n} labels "
        f"are few to measure it by; about {enough} would narrow that to {100 * WIDE:.0f} points.",
        CuelloWarning,
        stacklevel=2,
    )


def _width(interval: Interval) -> float:
    return interval.high - interval.low


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
