"""The confusion matrix as a table whose cells are shaded: it prints, and can be read aloud."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.report.fragments import cell, esc, head_cell, number, paragraph, scroll, shorten, table

__all__ = ["confusion_matrix"]

MOST_WITH_COUNTS = 20
"""Above so many classes the cells are too small for figures; pointing at one still tells them."""

LARGEST_MISTAKES = 6


def confusion_matrix(confusion: dict[str, Any], method: str, *, summed: bool = False) -> str:
    """Build the matrix, rows true and columns predicted, and a list of the largest mistakes.

    Parameters
    ----------
    confusion : dict
        ``matrix``, counts as (classes, classes); ``classes``, their names.
    method : str
        Whose mistakes these are.
    summed : bool
        The counts are those of several repeats together.
    """
    counts = np.nan_to_num(np.asarray(confusion["matrix"], dtype=np.float64))
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        return paragraph("The confusion matrix is not square and cannot be shown.", "empty")
    names = [str(name) for name in confusion.get("classes") or ()]
    names += [f"class {index}" for index in range(len(names), len(counts))]
    total = counts.sum()
    right = np.trace(counts) / total if total else 0.0
    title = f"Confusion matrix: {method}" if method else "Confusion matrix"
    predictions = number(total) + (" predictions of all repeats" if summed else " predictions")
    caption = (
        f"Rows: true class; columns: predicted class. {predictions}, {100 * right:.1f} % right "
        "(blue diagonal); mistakes in orange, darker for a larger share of the true class."
    )
    matrix = _matrix(counts, names, caption)
    return (
        f'<h3>{esc(title)}</h3>\n<div class="confusions">{matrix}{_mistakes(counts, names)}</div>\n'
    )


def _matrix(counts: npt.NDArray[np.float64], names: list[str], caption: str) -> str:
    dense = len(counts) > MOST_WITH_COUNTS
    upright = max(len(name) for name in names) > 4 or dense
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    head = ['<td class="corner">predicted →<br>true ↓</td>']
    head += [_name(name, "col", "upright" if upright else "") for name in names]
    lines = []
    for row, name in enumerate(names):
        cells = [_name(name, "row", "")]
        for column, other in enumerate(names):
            count, share = counts[row, column], shares[row, column]
            # The square root keeps rare mistakes visible beside frequent ones.
            strength = share if row == column else np.sqrt(share)
            text = number(count) if count or row == column else ""
            told = f"true {name}, predicted {other}: {number(count)} ({100 * share:.1f} %)"
            cells.append(
                f'<td class="{"hit" if row == column else "miss"}" style="--s:{strength:.2f}" '
                f'title="{esc(told)}">{f"<span>{text}</span>" if text else ""}</td>'
            )
        lines.append("".join(cells))
    kind = "matrix dense" if dense else "matrix"
    return f"<div>{scroll(table('', head, lines, kind), 'Confusion matrix', caption)}</div>"


def _name(name: str, scope: str, kind: str) -> str:
    attribute = f' class="{kind}"' if kind else ""
    text = f"<span>{esc(shorten(name, 20))}</span>"
    return f'<th scope="{scope}"{attribute} title="{esc(name)}">{text}</th>'


def _mistakes(counts: npt.NDArray[np.float64], names: list[str]) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return paragraph("Not one mistake.")
    totals = counts.sum(axis=1)
    lines = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:LARGEST_MISTAKES]:
        true, predicted = divmod(int(place), len(names))
        count = wrong[true, predicted]
        if not count:
            break
        lines.append(
            cell(shorten(names[true], 24))
            + cell(shorten(names[predicted], 24))
            + cell(number(count), "n")
            + cell(f"{100 * count / totals[true]:.1f} %", "n")
        )
    head = [head_cell("True", "col"), head_cell("Taken for", "col")]
    head += [head_cell("Rows", "col", "n"), head_cell("Of the true class", "col", "n")]
    return table("Largest mistakes", head, lines, "mistakes")
