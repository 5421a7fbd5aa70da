"""From which probability on a class is sure, and what that is worth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cuello.errors import InputError
from cuello.few_label import FewLabelClassifier
from cuello.few_label.confidence import tempered
from cuello.metrics import Threshold, find_threshold

__all__ = ["Classified", "check_sure", "say_sure", "sure_from"]


class Classified(NamedTuple):
    """What came of classifying rows."""

    rows: int
    not_sure: int
    """How many of them."""
    said: str
    """What "sure" is worth: promised, estimated, or by the probability alone."""


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
    if threshold.promised:
        return (
            f"of the others {share} or more are right: promised by {labels} held-out labels with "
            "95 % confidence"
        )
    if threshold.coverage == 0.0:
        return f"of {labels} held-out labels not even the surest answers are {share} right"
    return (
        f"of the others about {100 * threshold.accuracy:.1f} % are right: estimated, as {labels} "
        f"held-out labels cannot promise {share}"
    )
