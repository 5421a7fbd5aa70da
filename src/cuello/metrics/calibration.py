"""Whether probabilities mean what they say: of the rows given 0.8, are 80 % right.

Shapes: n rows, C classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from cuello.errors import InputError

__all__ = [
    "Reliability",
    "brier_score",
    "checked_labels",
    "checked_probabilities",
    "checked_scores",
    "expected_calibration_error",
    "reliability",
    "temperature",
]

Array = npt.NDArray[Any]

_PRIOR_ROWS = 4.0
_LOW, _HIGH = np.log(1e-3), np.log(1e3)  # of 1 / T


def temperature(scores: Array, y: npt.ArrayLike, *, prior_rows: float = _PRIOR_ROWS) -> float:
    """Return the T for which softmax(scores / T) says best how sure to be of held-out rows.

    Parameters
    ----------
    scores : ndarray of shape (n, C)
        Class scores before the softmax, of rows that the model did not learn from.
    y : array-like of int, shape (n,)
        Their classes, 0 to C - 1.
    prior_rows : float
        Weight of the prior that draws T to 1, from 0 (none) on.

    Returns
    -------
    float
        Above 1 where the model is too sure of itself. Between 0.001 and 1000.

    Raises
    ------
    InputError
        If the arrays do not fit each other or hold what they must not.

    Notes
    -----
    Temperature scaling of Guo et al., "On calibration of modern neural networks", ICML 2017, which
    changes no predicted class. The negative log-likelihood is convex in b = 1 / T, but few rows may
    all be right, and then it falls for ever as b grows. So ``prior_rows (b - 1 - log b)`` is added:
    minus the logarithm of a gamma density with its mode at 1. It is convex too, it keeps b above
    0 and finite, and beside the sum over rows it fades as their number grows. With a weight of 4
    the deviation of log T is 1 / sqrt(4): before any row is seen T is expected in 0.4 to 2.7, where
    nearly all networks of that paper have it.

    Held-out scores from cross-validation are those of models with fewer labels, which are right
    less often: T comes out slightly too high where the model needs none, such as a penalised
    logistic regression on codes.

    Examples
    --------
    >>> scores = np.array([[4.0, 0.0]] * 10)
    >>> temperature(scores, [0] * 7 + [1] * 3) > 2.0  # said 98 %, was 70 %
    True
    """
    s, y = checked_labels(checked_scores(scores), y)
    if not prior_rows >= 0.0:
        raise InputError(f"prior_rows={prior_rows} must be 0 or more; 0 is no prior.")
    if not len(s):
        return 1.0
    s = s - s[np.arange(len(s)), y][:, None]  # then the loss of a row is its logsumexp

    def loss(log_b: float) -> float:
        b = np.exp(log_b)
        return float(logsumexp(b * s, axis=1).sum() + prior_rows * (b - 1.0 - log_b))

    # A convex function of b has one valley, and so has it as a function of log b.
    best = minimize_scalar(loss, bounds=(_LOW, _HIGH), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(-best.x))


class Reliability(NamedTuple):
    """A table of bins, one entry each, for the reliability diagram: accuracy over confidence."""

    low: npt.NDArray[np.float64]
    """Least probability of the predicted class in the bin's range."""
    high: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    """How many."""
    confidence: npt.NDArray[np.float64]
    """Mean probability of the predicted class; NaN where there are no rows."""
    accuracy: npt.NDArray[np.float64]
    """Share of rows whose predicted class is right; NaN where there are no rows."""


def reliability(
    probabilities: Array, y: npt.ArrayLike, *, bins: int = 15, equal_mass: bool = False
) -> Reliability:
    """Return how often rows were right, by the probability of their predicted class.

    Parameters
    ----------
    probabilities : ndarray of shape (n, C)
        In [0, 1], rows summing to 1.
    y : array-like of int, shape (n,)
        Classes, 0 to C - 1.
    bins : int
        How many, 1 or more.
    equal_mass : bool
        Whether bins hold equally many rows (at most ``n`` bins), and not equally wide ranges.

    Raises
    ------
    InputError
        If an argument is outside its range.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    >>> table = reliability(p, [0, 0, 1], bins=2, equal_mass=True)
    >>> table.rows, table.accuracy
    (array([2, 1]), array([0.5, 1. ]))
    """
    p, y = checked_labels(checked_probabilities(probabilities), y)
    if bins < 1:
        raise InputError(f"bins={bins} must be 1 or more.")
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    if equal_mass:
        bins = max(min(bins, len(p)), 1)
        order = np.argsort(confidence, kind="stable")
        place = np.empty(len(p), dtype=np.int64)
        place[order] = np.arange(len(p)) * bins // max(len(p), 1)
        ends = [confidence[place == b] for b in range(bins)]
        low = np.array([e.min() if len(e) else np.nan for e in ends])
        high = np.array([e.max() if len(e) else np.nan for e in ends])
    else:
        edges = np.linspace(0.0, 1.0, bins + 1)
        low, high = edges[:-1], edges[1:]
        place = np.clip(np.searchsorted(edges, confidence) - 1, 0, bins - 1)  # (low, high]
    rows = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, weights=v, minlength=bins) / rows for v in (confidence, right)]
    return Reliability(low, high, rows, *means)


def expected_calibration_error(
    probabilities: Array, y: npt.ArrayLike, bins: int = 15, *, equal_mass: bool = False
) -> float:
    """Return the mean distance of confidence and accuracy over the rows' bins, in [0, 1].

    Parameters
    ----------
    probabilities, y, bins, equal_mass
        See :func:`reliability`.

    Notes
    -----
    Guo et al., "On calibration of modern neural networks", ICML 2017, equation 5; with bins of
    equal mass, Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural
    language processing models", EMNLP 2015. Either is above 0 for a perfectly calibrated model, by
    about the noise of a bin: over 100 rows of two classes drawn from the probabilities themselves
    it is 0.07 with 15 bins, 0.05 with 5, and with equal mass 0.01 to 0.02 more. So compare only
    values over the same number of rows, and with few of them take about n / 20 bins. Bins of equal
    mass do not estimate better; they are for the diagram, where then no point rests on a row.

    Examples
    --------
    >>> p = np.array([[0.75, 0.25]] * 4)
    >>> expected_calibration_error(p, [0, 0, 0, 1]), expected_calibration_error(p, [0, 0, 0, 0])
    (0.0, 0.25)
    """
    table = reliability(probabilities, y, bins=bins, equal_mass=equal_mass)
    used = table.rows > 0
    if not used.any():
        raise InputError("probabilities hold no row; give one or more.")
    gaps = np.abs(table.confidence[used] - table.accuracy[used])
    return float(np.average(gaps, weights=table.rows[used]))


def brier_score(probabilities: Array, y: npt.ArrayLike) -> float:
    """Return the mean squared distance of probabilities and what was, from 0 to 2 (best: 0).

    Summed over classes, as Brier defined it, "Verification of forecasts expressed in terms of
    probability", Monthly Weather Review 78 (1950); for two classes others halve it.

    Parameters
    ----------
    probabilities, y
        See :func:`reliability`.

    Examples
    --------
    >>> brier_score(np.array([[0.5, 0.5], [1.0, 0.0]]), [0, 0])
    0.25
    """
    p, y = checked_labels(checked_probabilities(probabilities), y)
    if not len(p):
        raise InputError("probabilities hold no row; give one or more.")
    return float(np.square(p - np.eye(p.shape[1])[y]).sum(axis=1).mean())


def checked_scores(values: Array, name: str = "scores") -> npt.NDArray[np.float64]:
    """Return finite numbers of shape (n, C), or refuse what is none."""
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 2 or v.shape[1] < 1:
        raise InputError(f"{name} have shape {v.shape}; give one row a sample, one column a class.")
    if not np.isfinite(v).all():
        raise InputError(f"{name} hold NaN or infinite values; leave those rows out.")
    return v


def checked_probabilities(values: Array) -> npt.NDArray[np.float64]:
    """Return rows of shape (n, C) that sum to 1, or refuse what is none."""
    p = checked_scores(values, "probabilities")
    if (p < 0).any() or not np.allclose(p.sum(axis=1), 1.0, atol=1e-4):
        raise InputError("probabilities must be 0 or more and sum to 1 in each row.")
    return p


def checked_labels(
    values: npt.NDArray[np.float64], y: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return rows of shape (n, C) with their classes, or refuse classes that are none of theirs."""
    codes = np.asarray(y)
    if codes.shape != (len(values),):
        raise InputError(f"y has shape {codes.shape}; {len(values)} rows need one class each.")
    if len(codes) and (
        codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= values.shape[1]
    ):
        raise InputError(
            f"y must hold whole numbers from 0 to {values.shape[1] - 1}, one a column; leave rows "
            "without a label out."
        )
    return values, codes.astype(np.int64)
