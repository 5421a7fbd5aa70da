"""The answers of the chosen method beside the true labels: classes, properties, numbers."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from cuello.arrays import Floats, Record
from cuello.formats import MISSING, number_text, rounded, shorten
from cuello.report.templates import draw

__all__ = ["draw_confusion", "draw_properties", "draw_scatter"]

MOST_WITH_COUNTS = 20
"""Above so many classes the cells are too small for figures; pointing at one still tells them."""

LARGEST_MISTAKES = 6


def draw_confusion(confusion: Record, method: str, *, summed: bool) -> Markup:
    """Draw the confusion matrix, rows true and columns predicted, and its largest mistakes.

    Parameters
    ----------
    confusion : dict
        ``matrix``, counts as (classes, classes); ``classes``, their names.
    method : str
        Whose mistakes these are.
    summed : bool
        The counts are those of several repeats together.
    """
    counts = np.asarray(confusion["matrix"], dtype=np.float64)
    names, dense = confusion["classes"], len(counts) > MOST_WITH_COUNTS
    right = np.trace(counts) / max(counts.sum(), 1.0)
    predictions = number_text(counts.sum()) + " predictions" + " of all repeats" * summed
    return draw(
        "cuello.report/confusion.html",
        method=method,
        caption=f"Rows: true class; columns: predicted class. {predictions}, {100 * right:.1f} % "
        "right (blue diagonal); mistakes in orange, darker for a larger share of the true class.",
        names=names,
        dense=dense,
        upright=dense or max(map(len, names)) > 4,
        rows=list(zip(names, _confusion_cells(counts, names), strict=True)),
        mistakes=_mistakes(counts, names),
    )


def _confusion_cells(counts: Floats, names: list[str]) -> list[list[Record]]:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # The square root keeps rare mistakes visible beside frequent ones.
    strengths = np.where(np.eye(len(counts), dtype=bool), shares, np.sqrt(shares))
    return [
        [
            {
                "kind": "hit" if row == column else "miss",
                "strength": f"{strengths[row, column]:.2f}",
                "predicted": name,
                "count": number_text(counts[row, column]),
                "share": f"{100 * shares[row, column]:.1f}",
                "shown": counts[row, column] > 0 or row == column,
            }
            for column, name in enumerate(names)
        ]
        for row in range(len(counts))
    ]


def _mistakes(counts: Floats, names: list[str]) -> list[tuple[str, str, str, str]]:
    wrong = np.where(np.eye(len(counts), dtype=bool), 0.0, counts)
    largest = np.argsort(-wrong, axis=None, kind="stable")[:LARGEST_MISTAKES]
    pairs = [divmod(int(place), len(names)) for place in largest if wrong.flat[place]]
    return [
        (
            names[true],
            names[predicted],
            number_text(wrong[true, predicted]),
            f"{100 * wrong[true, predicted] / counts[true].sum():.1f}",
        )
        for true, predicted in pairs
    ]


def draw_properties(properties: Record, method: str, *, summed: bool) -> Markup:
    """Draw a table of how well each property was predicted.

    Parameters
    ----------
    properties : dict
        ``counts``, for each property ((true negatives, false positives), (false negatives, true
        positives)); ``names``.
    method : str
        Whose answers these are.
    summed : bool
        The counts are those of several repeats together.
    """
    total = sum(map(sum, properties["counts"][0]))
    rows = []
    for name, counts in zip(properties["names"], properties["counts"], strict=True):
        (_, false), (missed, hit) = counts
        shares = (
            (hit + missed, total),
            (total - false - missed, total),
            (hit, hit + false),
            (hit, hit + missed),
            (2 * hit, 2 * hit + false + missed),
        )
        rows.append((name, [f"{100 * a / b:.1f}" if b else MISSING for a, b in shares]))
    return draw(
        "cuello.report/properties.html",
        method=method,
        rows=rows,
        caption=f"{number_text(total)} {'predictions of all repeats' if summed else 'rows'} for "
        "each property. Precision: of the rows predicted to have it, those that do; recall: of the "
        "rows that have it, those predicted.",
    )


def draw_scatter(pairs: Record, method: str, *, summed: bool) -> tuple[Markup, Record]:
    """Draw the chart of predicted against true numbers; also return what the browser draws of it.

    Parameters
    ----------
    pairs : dict
        ``true`` and ``predicted``, equally long; ``name``, what they are.
    method : str
        Whose predictions these are.
    summed : bool
        They are those of several repeats together.
    """
    both = zip(rounded(pairs["true"]), rounded(pairs["predicted"]), strict=True)
    known = [(true, predicted) for true, predicted in both if None not in (true, predicted)]
    body = draw("cuello.report/scatter.html", method=method, count=len(known), summed=summed)
    return body, {
        "name": shorten(pairs["name"], 30),
        "true": [true for true, _ in known],
        "predicted": [predicted for _, predicted in known],
    }
