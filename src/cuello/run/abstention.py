"""Classes that a run decides, or abstains from; and how far its numbers are off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cuello.arrays import Array
from cuello.errors import InputError, Use
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.confidence import tempered
from cuello.metrics import ABSTAINED, Threshold, decide, find_threshold

__all__ = [
    "MIN_PRECISION",
    "Classified",
    "TypicalError",
    "check_min_precision",
    "classify_rows",
    "describe_threshold",
    "refuse_min_precision",
    "threshold_for",
    "typical_error",
]

MIN_PRECISION = 0.95


class Classified(NamedTuple):
    """Summary of rows that were classified, or got numbers or properties."""

    rows: int
    undecided: int | None
    """How many of them; None where labels are no classes."""
    basis: str
    """What the decisions are worth: promised, estimated, or by the probability alone. Or how far
    numbers are off; empty where that is not known."""

    def summary(self) -> str:
        """Return it as one line.

        Examples
        --------
        >>> Classified(1200, None, "off by 3 on average").summary()
        '1,200 rows (off by 3 on average)'
        """
        counts = f"{self.rows:,} rows"
        if self.undecided is not None:
            counts += f", {self.undecided:,} of them undecided"
        return f"{counts} ({self.basis})" if self.basis else counts


class TypicalError(NamedTuple):
    """How far numbers were off for labelled rows that a network had not learned from."""

    mean: float
    """Absolute error, in the labels' own units."""
    most: float
    """What nine errors in ten are below."""
    labels: int

    def __str__(self) -> str:
        """Write it as a sentence without its subject.

        Examples
        --------
        >>> str(TypicalError(43.21, 90210.4, 100))
        'off by 43.2 on average, nine in ten by 90,210 or less: by 100 held-out labels'
        """
        return (
            f"off by {_rounded(self.mean)} on average, nine in ten by {_rounded(self.most)} or "
            f"less: by {self.labels:,} held-out labels"
        )


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def typical_error(model: FewLabelClassifier | FewLabelRegressor) -> TypicalError | None:
    """Return how far a regressor is off, by labels that were held out while it was fitted.

    It is a cautious figure, as the networks of the folds learned from fewer labels. None where
    nothing was held out, and for classes and properties.
    """
    if not isinstance(model, FewLabelRegressor):
        return None
    task, scores = model.task_, model.held_out_scores_
    measured = np.isfinite(scores).all(axis=1)
    if not measured.any():
        return None
    true = task.link(model.held_out_labels_[measured, None])
    errors = np.abs(task.link(scores[measured]) - true)
    # As for conformal prediction, a new row is the (n + 1)th.
    most = np.quantile(errors, min(1.0, 0.9 * (1 + 1 / len(errors))), method="higher")
    return TypicalError(float(errors.mean()), float(most), len(errors))


def check_min_precision(min_precision: float) -> None:
    """Refuse a precision that is not between 0 and 1.

    Raises
    ------
    InputError
        If it is not.
    """
    if not 0.0 < min_precision < 1.0:
        raise InputError(
            argument="min_precision",
            value=min_precision,
            allowed="above 0 and below 1, for example 0.95",
        )


def refuse_min_precision(min_precision: float | None, task: str) -> None:
    """Refuse a precision where labels are no classes.

    Raises
    ------
    InputError
        If one is given.
    """
    if min_precision is not None:
        answers = "numbers" if task == "regression" else "a probability for each property"
        raise InputError(
            f"is for classes, and this run gives {answers}",
            argument="min_precision",
            value=min_precision,
            remedy=Use("min_precision", None),
        )


def classify_rows(
    classifier: FewLabelClassifier,
    rows: Array,
    classes: tuple[str, ...],
    min_precision: float | None,
) -> tuple[list[list[str]], str]:
    """Return class, probability and decision of each row, and what the decisions are worth.

    Parameters
    ----------
    classifier : FewLabelClassifier
        Fitted, for classes.
    rows : ndarray of shape (n, ...)
    classes : tuple of str
        Their names.
    min_precision : float or None
        Share of the decisions, in (0, 1), that are to be right; None is 0.95.
    """
    wanted = MIN_PRECISION if min_precision is None else min_precision
    check_min_precision(wanted)
    probabilities = classifier.predict_proba(rows)
    threshold = threshold_for(classifier, wanted)
    decisions = decide(probabilities, wanted if threshold is None else threshold.probability)
    names = [classes[int(code)] for code in classifier.classes_]
    cells = [
        [names[k], f"{p[k]:.4f}", "undecided" if decision == ABSTAINED else "decided"]
        for k, p, decision in zip(
            probabilities.argmax(axis=1), probabilities, decisions, strict=True
        )
    ]
    return cells, describe_threshold(threshold, wanted, len(classifier.held_out_labels_))


def threshold_for(classifier: FewLabelClassifier, min_precision: float) -> Threshold | None:
    """Return the least probability from which on answers are precise enough, by held-out labels.

    None where nothing was held out.

    Parameters
    ----------
    classifier : FewLabelClassifier
        Fitted, for classes.
    min_precision : float
        Share of the answers, in (0, 1), that are to be right.
    """
    scores, y = classifier.held_out_scores_, classifier.held_out_labels_
    measured = np.isfinite(scores).all(axis=1)
    if not measured.any():
        return None
    p = tempered(classifier.task_, scores[measured], classifier.temperature_)
    return find_threshold(p, y[measured], min_precision)


def describe_threshold(threshold: Threshold | None, min_precision: float, labels: int) -> str:
    """Return what decisions at a threshold are worth, in words.

    Examples
    --------
    >>> describe_threshold(Threshold(0.8, 0.9, 0.98, 0.96, True), 0.95, 300)
    'of the others 95 % or more are right: promised by 300 held-out labels with 95 % confidence'
    """
    share = f"{100 * min_precision:g} %"
    if threshold is None:
        return (
            f"a probability below {min_precision:g}; no labels were held out to measure what that "
            "means"
        )
    if threshold.guaranteed:
        return (
            f"of the others {share} or more are right: promised by {labels} held-out labels with "
            "95 % confidence"
        )
    if threshold.coverage == 0.0:
        return f"of {labels} held-out labels not even the surest answers are {share} right"
    return (
        f"of the others about {100 * threshold.precision:.1f} % are right: estimated, as {labels} "
        f"held-out labels cannot promise {share}"
    )
