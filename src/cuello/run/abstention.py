"""From which probability on a class is sure, and what that is worth; how far numbers are off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cuello.errors import InputError
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.confidence import tempered
from cuello.metrics import Threshold, find_threshold
from cuello.report.fragments import number

__all__ = [
    "Classified",
    "TypicalError",
    "check_sure",
    "refuse_sure",
    "say_sure",
    "sure_from",
    "typical_error",
]


class Classified(NamedTuple):
    """What came of classifying rows, or of predicting numbers or properties."""

    rows: int
    not_sure: int | None
    """How many of them; None where labels are no classes."""
    said: str
    """What "sure" is worth: promised, estimated, or by the probability alone. Or how far numbers
    are off; empty where that is not known."""

    def summary(self) -> str:
        """Say it in one line.

        Examples
        --------
        >>> Classified(1200, None, "off by 3 on average").summary()
        '1,200 rows (off by 3 on average)'
        """
        counts = f"{self.rows:,} rows"
        if self.not_sure is not None:
            counts += f", {self.not_sure:,} of them not sure"
        return f"{counts} ({self.said})" if self.said else counts


class TypicalError(NamedTuple):
    """How far numbers were off for labelled rows that a network had not learned from."""

    mean: float
    """Absolute error, in the labels' own units."""
    most: float
    """What nine errors in ten are below."""
    labels: int

    def __str__(self) -> str:
        """Say it.

        Examples
        --------
        >>> str(TypicalError(43.21, 90210.4, 100))
        'off by 43.2 on average, nine in ten by 90,210 or less: by 100 held-out labels'
        """
        return (
            f"off by {number(self.mean)} on average, nine in ten by {number(self.most)} or less: "
            f"by {self.labels:,} held-out labels"
        )


def typical_error(model: FewLabelClassifier | FewLabelRegressor) -> TypicalError | None:
    """Return how far a regressor is off, by labels that were held out while it was fitted.

    It is a cautious figure, as the networks of the folds learned from fewer labels. None where
    nothing was held out, and for classes and properties.
    """
    if not isinstance(model, FewLabelRegressor):
        return None
    task, scores = model.task_, model.held_out_scores_
    known = np.isfinite(scores).all(axis=1)
    if not known.any() or len(model.held_out_labels_) != len(scores):
        return None
    true = task.link(model.held_out_labels_[known, None])
    off = np.abs(task.link(scores[known]) - true)
    # As for conformal prediction, a new row is the (n + 1)th.
    most = np.quantile(off, min(1.0, 0.9 * (1 + 1 / len(off))), method="higher")
    return TypicalError(float(off.mean()), float(most), len(off))


def refuse_sure(sure: float | None, task: str) -> None:
    """Refuse a wanted accuracy where labels are no classes."""
    if sure is not None:
        what = "numbers" if task == "regression" else "a probability for each property"
        raise InputError(f"sure={sure:g} is for classes, and this run gives {what}; use sure=None.")


def check_sure(sure: float) -> None:
    """Refuse a wanted accuracy that is none."""
    if not 0.0 < sure < 1.0:
        raise InputError(f"sure={sure:g} must be above 0 and below 1, for example 0.95.")


def sure_from(classifier: FewLabelClassifier, wanted: float) -> Threshold | None:
    """Return from which probability on answers are right as often as wanted, by held-out labels.

    None where nothing was held out, or the classifier's record is of before labels were kept.

    Parameters
    ----------
    classifier : FewLabelClassifier
        Fitted, for classes.
    wanted : float
        Accuracy of what is answered, in (0, 1).
    """
    scores, y = classifier.held_out_scores_, classifier.held_out_labels_
    if not len(y) or len(y) != len(scores):
        return None
    known = np.isfinite(scores).all(axis=1)
    if not known.any():
        return None
    p = tempered(classifier.task_, scores[known], classifier.temperature_)
    return find_threshold(p, y[known], wanted)


def say_sure(threshold: Threshold | None, wanted: float, labels: int) -> str:
    """Say what "sure" is worth.

    Examples
    --------
    >>> say_sure(Threshold(0.8, 0.9, 0.98, 0.96, True), 0.95, 300)
    'of the others 95 % or more are right: promised by 300 held-out labels with 95 % confidence'
    """
    share = f"{100 * wanted:g} %"
    if threshold is None:
        return f"a probability below {wanted:g}; no labels were held out to measure what that means"
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
