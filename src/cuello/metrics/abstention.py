"""Selective classification: answer only where the answer is precise enough, abstain elsewhere.

Shapes: n samples, C classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cuello.arrays import Array, Codes
from cuello.errors import InputError
from cuello.metrics.calibration import check_class_probabilities, check_codes
from cuello.metrics.interval import LEVELS, lower_bound

__all__ = ["ABSTAINED", "Threshold", "decide", "find_threshold"]

ABSTAINED = -1
"""In the place of a class: the probability of the most probable one is below the threshold."""
COVERAGES = (1.0, 0.8, 0.6, 0.4, 0.2)
"""Shares of the held-out samples, the most confident first, that a threshold may let through."""


class Threshold(NamedTuple):
    """A probability from which on a prediction is answered, and its effect on held-out samples."""

    probability: float
    """Least probability of the predicted class that is answered; infinite: nothing is."""
    coverage: float
    """Share of the held-out samples that is answered."""
    precision: float
    """Share of the answers that are right; NaN if there is none."""
    low: float
    """Lower confidence bound of the precision; NaN if there is no answer."""
    guaranteed: bool
    """Whether ``low`` reaches the wanted precision; if not, labels are too few to guarantee it."""


def find_threshold(
    probabilities: Array, y: npt.ArrayLike, min_precision: float, *, level: float = 0.95
) -> Threshold:
    """Choose the least probability that is answered, so that answers have the wanted precision.

    Parameters
    ----------
    probabilities : ndarray of shape (n, C)
        Of samples that the model did not learn from, in [0, 1], summing to 1.
    y : array-like of int, shape (n,)
        Their classes, 0 to C - 1.
    min_precision : float
        Share of the answers that must be right, in (0, 1).
    level : float
        Confidence of that guarantee, in (0, 1).

    Returns
    -------
    Threshold
        The loosest that the labels can guarantee; or else the loosest that has the wanted precision
        on the held-out samples, not ``guaranteed``; or else one that answers nothing.

    Raises
    ------
    InputError
        If an argument is outside its range.

    Notes
    -----
    Geifman and El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017. Five
    shares of the samples, the most confident first, are compared (those too small to pass even if
    all are right are left out), each by the exact lower bound of its accuracy at
    ``1 - (1 - level) / comparisons`` (Bonferroni), so that choosing the best of them does not break
    the guarantee. It is about samples like the held-out ones; 95 of 100 takes about 80 of them
    without a mistake. Conformal prediction would guarantee sets of classes over all samples: of
    those whose set is a single class, which alone need no second look, more could be wrong.

    Examples
    --------
    >>> p = np.array([[0.99, 0.01]] * 200 + [[0.6, 0.4]] * 100)
    >>> y = [0] * 250 + [1] * 50
    >>> threshold = find_threshold(p, y, 0.95)
    >>> threshold.probability, threshold.guaranteed, round(threshold.low, 3)
    (0.99, True, 0.982)
    >>> decide(np.array([[0.995, 0.005], [0.3, 0.7]]), threshold.probability)
    array([ 0, -1])
    """
    p, codes = check_codes(check_class_probabilities(probabilities), y)
    LEVELS.check("min_precision", min_precision)
    LEVELS.check("level", level)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == codes
    descending = np.sort(confidence)[::-1]
    # Samples as confident as the last of a share are answered with it.
    last = [max(round(share * len(p)), 1) - 1 for share in COVERAGES if len(p)]
    candidates = np.unique(descending[last])
    n = [int((confidence >= t).sum()) for t in candidates]
    k = [int(right[confidence >= t].sum()) for t in candidates]
    tests = _count_comparisons(n, min_precision, level)
    # Where nothing can be guaranteed, the bound is that of a single comparison.
    corrected = 1.0 - (1.0 - level) / max(tests, 1)
    low = [lower_bound(a, b, level=corrected) for a, b in zip(k, n, strict=True)]
    precision = [a / b for a, b in zip(k, n, strict=True)]
    for reached, guaranteed in ((low, True), (precision, False)):
        passes = np.array(reached) >= min_precision
        if passes.any():
            i = int(passes.argmax())  # thresholds ascend: the first answers most
            return Threshold(float(candidates[i]), n[i] / len(p), precision[i], low[i], guaranteed)
    return Threshold(float("inf"), 0.0, float("nan"), float("nan"), False)


def decide(probabilities: Array, threshold: float) -> Codes:
    """Return the column of the most probable class (n,), or ``ABSTAINED`` below the threshold.

    Probabilities are (n, C) in [0, 1], each sample's summing to 1. The threshold is that of
    :func:`find_threshold`, or without held-out samples the wanted precision, which is right as far
    as the probabilities are.
    """
    p = check_class_probabilities(probabilities)
    if not threshold >= 0.0:
        raise InputError(argument="threshold", value=threshold, allowed="a probability, 0 or more")
    answered = p.max(axis=1) >= threshold
    return np.where(answered, p.argmax(axis=1), ABSTAINED).astype(np.int64)


def _count_comparisons(n: list[int], min_precision: float, level: float) -> int:
    """Return how many shares are large enough to pass, given how many are compared."""
    for tests in range(len(n), 0, -1):
        corrected = 1.0 - (1.0 - level) / tests
        if sum(lower_bound(m, m, level=corrected) >= min_precision for m in n) >= tests:
            return tests
    return 0
