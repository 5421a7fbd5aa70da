"""What the chosen method got wrong, where labels are properties or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from cuello.report.fragments import (
    MISSING,
    cell,
    esc,
    head_cell,
    number,
    paragraph,
    rounded,
    scroll,
    shorten,
    table,
)

__all__ = ["properties_table", "scatter"]


def properties_table(found: dict[str, Any], method: str, *, summed: bool = False) -> str:
    """Build a table of how well each property was told.

    Parameters
    ----------
    found : dict
        ``counts``, for each property ((true 0 found 0, true 0 found 1), (true 1 found 0, true 1
        found 1)); ``names``.
    method : str
        Whose answers these are.
    summed : bool
        The counts are those of several repeats together.
    """
    counts = np.nan_to_num(np.asarray(found["counts"], dtype=np.float64))
    if counts.ndim != 3 or counts.shape[1:] != (2, 2):
        return paragraph("The counts of the properties cannot be shown.", "empty")
    names = [str(name) for name in found.get("names") or ()]
    names += [f"property {index}" for index in range(len(names), len(counts))]
    lines = []
    for name, ((_, false), (missed, hit)) in zip(names, counts, strict=False):
        total = counts[0].sum()
        shares = (
            (hit + missed, total),
            (total - false - missed, total),
            (hit, hit + false),
            (hit, hit + missed),
            (2 * hit, 2 * hit + false + missed),
        )
        cells = (f"{100 * a / b:.1f}" if b else MISSING for a, b in shares)
        called = f'<th scope="row" title="{esc(name)}">{esc(shorten(name, 40))}</th>'
        lines.append(called + "".join(cell(text, "n") for text in cells))
    head = [head_cell("Property", "col")]
    for title in ("Rows with it", "Accuracy", "Precision", "Recall", "F1"):
        head.append(head_cell(f"{title} (%)", "col", "n"))
    predictions = number(counts[0].sum()) + (" predictions of all repeats" if summed else " rows")
    caption = (
        f"{predictions} for each property. Precision: of the rows said to have it, those that do; "
        "recall: of the rows that have it, those found."
    )
    shown = scroll(table("", head, lines), "Properties", caption)
    return f"<h3>{esc(f'Properties: {method}' if method else 'Properties')}</h3>\n{shown}"


def scatter(
    pairs: dict[str, Any], method: str, *, summed: bool = False
) -> tuple[str, dict[str, Any]]:
    """Build the chart of predicted against true numbers, and what the browser draws of it.

    Parameters
    ----------
    pairs : dict
        ``true`` and ``predicted``, equally long; ``name``, what they are.
    method : str
        Whose predictions these are.
    summed : bool
        They are those of several repeats together.
    """
    true, predicted = rounded(pairs["true"]), rounded(pairs.get("predicted") or ())
    known = [(t, p) for t, p in zip(true, predicted, strict=False) if None not in (t, p)]
    body = (
        f"<h3>{esc(f'Predicted and true numbers: {method}')}</h3>\n"
        + paragraph(
            f"Each of the {number(len(known))} points is a row"
            + (" in one of the repeats" if summed else "")
            + " that the method had not learned from; on the line the prediction is right.",
        )
        + '<div class="chart" id="scatter-chart" role="img" aria-label="Predicted against true '
        'numbers"></div>\n'
    )
    name = shorten(str(pairs.get("name") or "number"), 30)
    return body, {
        "name": name,
        "true": [t for t, _ in known],
        "predicted": [p for _, p in known],
    }
