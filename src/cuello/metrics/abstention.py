"""To answer only where the answer can be trusted, and to say "not sure" elsewhere.

Shapes: n rows, C classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cuello.errors import InputError
from cuello.metrics.calibration import checked_labels, checked_probabilities
from cuello.metrics.interval import lower_bound

__all__ = ["ABSTAINED", "Decision", "Threshold", "decide", "find_threshold"]

Array = npt.NDArray[Any]

ABSTAINED = -1
"""In the place of a class: the probability of the most probable one is below the threshold."""

SHARES = (1.0, 0.8, 0.6, 0.4, 0.2)
"""Of the held-out rows, the surest first: what may be answered."""


class Threshold(NamedTuple):
    """From which probability on to answer, and what that does on held-out rows."""

    probability: float
    """Least probability of the predicted class that is answered; infinite: nothing is."""
    coverage: float
    """Share of the held-out rows that is answered."""
    accuracy: float
    """Of the held-out rows that are answered; NaN if none is."""
    low: float
    """What the accuracy of answers is at least, with the confidence asked for; NaN if none is."""
    promised: bool
    """Whether ``low`` reaches the wanted accuracy; if not, the labels are too few to promise it."""


class Decision(NamedTuple):
    """What is answered."""

    classes: npt.NDArray[np.int64]
    """Column of the most probable class of each row, or ``ABSTAINED`` (-1)."""
    coverage: float
    """Share of the rows that is answered."""


def find_threshold(
    probabilities: Array, y: npt.ArrayLike, wanted: float, *, level: float = 0.95
) -> Threshold:
    """Choose from which probability on to answer, so that answers are right as often as wanted.

    Parameters
    ----------
    probabilities : ndarray of shape (n, C)
        Of rows that the model did not learn from, in [0, 1], summing to 1.
    y : array-like of int, shape (n,)
        Their classes, 0 to C - 1.
    wanted : float
        Accuracy of what is answered, in (0, 1).
    level : float
        How sure the promise of that accuracy is, in (0, 1).

    Returns
    -------
    Threshold
        The loosest that the labels can promise. If they can promise none, the loosest that has the
        wanted accuracy on the held-out rows themselves, and ``promised`` is False; if there is none
        either, one that answers nothing.

    Raises
    ------
    InputError
        If an argument is outside its range.

    Notes
    -----
    Selective classification with guaranteed risk: Geifman and El-Yaniv, "Selective classification
    for deep neural networks", NeurIPS 2017. Five shares of the rows, the surest first, are compared
    (those with too few rows to pass even if all are right are left out), each by the exact lower
    bound of its accuracy at ``1 - (1 - level) / comparisons`` (Bonferroni), so that looking
    for the best of them does not break the promise. The promise is about rows like the held-out
    ones, and 95 of 100 takes about 80 of them without a mistake.

    Conformal prediction (Angelopoulos and Bates, "A gentle introduction to conformal prediction",
    2021) would return a set of classes for every row that holds the true one as often as
    wanted. Such a promise covers all rows, easy and hard together: among the rows whose set is a
    single class, which alone need no second look, more can be wrong. "Of what is answered, 95 % is
    right" is the promise that somebody who acts on answers can use.

    Examples
    --------
    >>> p = np.array([[0.99, 0.01]] * 200 + [[0.6, 0.4]] * 100)
    >>> y = [0] * 250 + [1] * 50
    >>> threshold = find_threshold(p, y, 0.95)
    >>> threshold.probability, threshold.promised, round(threshold.low, 3)
    (0.99, True, 0.982)
    >>> decide(np.array([[0.995, 0.005], [0.3, 0.7]]), threshold.probability)
    Decision(classes=array([ 0, -1]), coverage=0.5)
    """
    p, codes = checked_labels(checked_probabilities(probabilities), y)
    for name, value in (("wanted", wanted), ("level", level)):
        if not 0.0 < value < 1.0:
            raise InputError(f"{name}={value} must be above 0 and below 1, for example 0.95.")
    confidence, right = p.max(axis=1), p.argmax(axis=1) == codes
    surest = np.sort(confidence)[::-1]
    # Rows as sure as the last of a share are answered with it.
    last = [max(round(share * len(p)), 1) - 1 for share in SHARES if len(p)]
    at = np.unique(surest[last])
    n = [int((confidence >= t).sum()) for t in at]
    k = [int(right[confidence >= t].sum()) for t in at]
    tests = _comparisons(n, wanted, level)
    # With no promise to give, the bound shown is that of one look.
    strict = 1.0 - (1.0 - level) / max(tests, 1)
    low = [lower_bound(a, b, level=strict) for a, b in zip(k, n, strict=True)]
    for passes, promised in ((np.array(low) >= wanted, True), (_shares(k, n) >= wanted, False)):
        if passes.any():
            i = int(passes.argmax())  # thresholds ascend: the first answers most
            return Threshold(float(at[i]), n[i] / len(p), k[i] / n[i], low[i], promised)
    return Threshold(float("inf"), 0.0, float("nan"), float("nan"), False)


def decide(probabilities: Array, threshold: float) -> Decision:
    """Return the most probable class of each row, or ``ABSTAINED`` where it is not probable enough.

    Parameters
    ----------
    probabilities : ndarray of shape (n, C)
        In [0, 1], rows summing to 1.
    threshold : float
        Least probability that is answered: that of :func:`find_threshold`, or without held-out
        rows the wanted accuracy itself, which is right as far as the probabilities are.

    Raises
    ------
    InputError
        If an argument is outside its range.

    Examples
    --------
    >>> decide(np.array([[0.9, 0.1], [0.4, 0.6]]), 0.8).classes
    array([ 0, -1])
    """
    p = checked_probabilities(probabilities)
    if not threshold >= 0.0:
        raise InputError(f"threshold={threshold} must be a probability, 0 or more.")
    sure = p.max(axis=1) >= threshold
    classes = np.where(sure, p.argmax(axis=1), ABSTAINED).astype(np.int64)
    return Decision(classes, float(sure.mean()) if len(p) else 0.0)


def _comparisons(n: list[int], wanted: float, level: float) -> int:
    """Return how many shares are large enough to pass, given how many are compared."""
    for tests in range(len(n), 0, -1):
        needed = 1.0 - (1.0 - level) / tests
        if sum(lower_bound(m, m, level=needed) >= wanted for m in n) >= tests:
            return tests
    return 0


def _shares(k: list[int], n: list[int]) -> npt.NDArray[np.float64]:
    return np.array(k, dtype=np.float64) / np.array(n, dtype=np.float64)
