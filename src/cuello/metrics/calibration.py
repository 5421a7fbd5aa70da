"""Calibration of probabilities: of samples given 0.8, whether 80 % are right.

Shapes: n samples, C classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from cuello.arrays import Array, Codes, Floats
from cuello.errors import InputError

__all__ = [
    "check_class_probabilities",
    "check_class_scores",
    "check_codes",
    "expected_calibration_error",
    "temperature",
]

_PRIOR_WEIGHT = 4.0
_LOG_BOUNDS = (np.log(1e-3), np.log(1e3))  # of 1 / T


def temperature(scores: Array, y: npt.ArrayLike, *, prior_weight: float = _PRIOR_WEIGHT) -> float:
    """Return the T for which softmax(scores / T) is calibrated best on held-out samples.

    Parameters
    ----------
    scores : ndarray of shape (n, C)
        Class scores before the softmax, of samples that the model did not learn from.
    y : array-like of int, shape (n,)
        Their classes, 0 to C - 1.
    prior_weight : float
        Weight of the prior that draws T to 1, in samples; 0 is no prior.

    Returns
    -------
    float
        Above 1 where the model is overconfident. Between 0.001 and 1000.

    Raises
    ------
    InputError
        If the arrays do not fit each other or hold what they must not.

    Notes
    -----
    Guo et al., "On calibration of modern neural networks", ICML 2017: it changes no predicted
    class. The negative log-likelihood is convex in b = 1 / T, but few samples may all be right, and
    then it falls for ever as b grows. So ``prior_weight (b - 1 - log b)`` is added, minus the
    logarithm of a gamma density with its mode at 1: convex too, and fading as samples grow in
    number. With a weight of 4, T is expected in 0.4 to 2.7 before any sample is seen, where nearly
    all networks of that paper have it. Scores from cross-validation are those of models with fewer
    labels, so T comes out slightly too high where the model needs none.

    Examples
    --------
    >>> scores = np.array([[4.0, 0.0]] * 10)
    >>> temperature(scores, [0] * 7 + [1] * 3) > 2.0  # 98 % expected, 70 % right
    True
    """
    s, codes = check_codes(check_class_scores(scores), y)
    if not prior_weight >= 0.0:
        raise InputError(argument="prior_weight", value=prior_weight, allowed="0 or more")
    if not len(s):
        return 1.0
    # Relative to the true class the loss of a sample is its logsumexp.
    s = s - s[np.arange(len(s)), codes][:, None]

    def loss(log_b: float) -> float:
        b = np.exp(log_b)
        return float(logsumexp(b * s, axis=1).sum() + prior_weight * (b - 1.0 - log_b))

    # A convex function of b has one minimum, and so has it as a function of log b.
    best = minimize_scalar(loss, bounds=_LOG_BOUNDS, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(-best.x))


def expected_calibration_error(probabilities: Array, y: npt.ArrayLike, bins: int = 15) -> float:
    """Return the mean gap between confidence and accuracy, over bins of confidence, in [0, 1].

    Parameters
    ----------
    probabilities : ndarray of shape (n, C)
        Class probabilities, each sample's summing to 1.
    y : array-like of int, shape (n,)
        Classes, 0 to C - 1.
    bins : int
        Number of equally wide bins, 1 or more.

    Raises
    ------
    InputError
        If an argument is outside its range, or there is no sample.

    Notes
    -----
    Guo et al., "On calibration of modern neural networks", ICML 2017, equation 5. It is above 0 for
    a perfectly calibrated model, by about the noise of a bin, so compare only values over the same
    number of samples, and with few of them take about n / 20 bins.

    Examples
    --------
    >>> p = np.array([[0.75, 0.25]] * 4)
    >>> expected_calibration_error(p, [0, 0, 0, 1]), expected_calibration_error(p, [0, 0, 0, 0])
    (0.0, 0.25)
    """
    p, codes = check_codes(check_class_probabilities(probabilities), y)
    if bins < 1:
        raise InputError(argument="bins", value=bins, allowed="1 or more")
    if not len(p):
        raise InputError("hold no sample; give one or more", argument="probabilities")
    confidence, right = p.max(axis=1), p.argmax(axis=1) == codes
    edges = np.linspace(0.0, 1.0, bins + 1)
    bin_of = np.clip(np.searchsorted(edges, confidence) - 1, 0, bins - 1)  # (low, high]
    counts = np.bincount(bin_of, minlength=bins)
    used = counts > 0
    mean_confidence, accuracy = (
        np.bincount(bin_of, weights=values, minlength=bins)[used] / counts[used]
        for values in (confidence, right)
    )
    return float(np.average(np.abs(mean_confidence - accuracy), weights=counts[used]))


def check_class_scores(values: Array, name: str = "scores") -> Floats:
    """Return finite numbers of shape (n, C), or refuse the array."""
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 2 or v.shape[1] < 1:
        raise InputError(
            f"have shape {v.shape}; give a row for each sample, a column for each class",
            argument=name,
        )
    if not np.isfinite(v).all():
        raise InputError("hold NaN or infinite values; leave those samples out", argument=name)
    return v


def check_class_probabilities(values: Array) -> Floats:
    """Return probabilities of shape (n, C) that sum to 1 for each sample, or refuse the array."""
    p = check_class_scores(values, "probabilities")
    if (p < 0).any() or not np.allclose(p.sum(axis=1), 1.0, atol=1e-4):
        raise InputError(argument="probabilities", allowed="0 or more and sum to 1 for each sample")
    return p


def check_codes(values: Floats, y: npt.ArrayLike) -> tuple[Floats, Codes]:
    """Return values of shape (n, C) and the samples' classes, or refuse classes that do not fit."""
    codes = np.asarray(y)
    if codes.shape != (len(values),):
        raise InputError(
            f"has shape {codes.shape}; {len(values)} samples need one class each", argument="y"
        )
    if len(codes) and (
        codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= values.shape[1]
    ):
        raise InputError(
            argument="y",
            allowed=f"whole numbers from 0 to {values.shape[1] - 1}, one for each column",
            remedy="leave samples without a label out",
        )
    return values, codes.astype(np.int64)
