"""Galleries of sequences: for each row and feature, the course over time as small lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.report.content import Gallery
from cuello.report.fragments import cell, esc, head_cell, number, scroll, shorten, table

__all__ = ["sequence_gallery"]

MOST_FEATURES = 4
"""Features that are drawn; with more, those that the model misses most."""

LINE = 4
"""Rows beside one another."""

_WIDTH, _HEIGHT, _EDGE = 168, 64, 3  # pixels

_STYLES = {"original": "Thick and pale", "model": "blue", "pca": "dashed"}
"""How versions are drawn, by the class of their lines."""

Array = npt.NDArray[Any]


def sequence_gallery(gallery: Gallery) -> str:
    """Show rows in columns and features below one another.

    Up to three versions share the axes of a cell; all cells of a feature have the same range.
    """
    lines = dict(zip(_STYLES, gallery.versions.values(), strict=False))
    off = np.abs(gallery.second - gallery.first) / _spread(gallery.first)
    worst = np.argsort(-np.nanmean(off, axis=(0, 1)), kind="stable")
    features = np.sort(worst[:MOST_FEATURES]).tolist()
    count, steps, width = gallery.first.shape
    tables = []
    for start in range(0, count, LINE):
        places = range(start, min(count, start + LINE))
        names = [gallery.name(p) for p in places]
        head = ["<td></td>", *(head_cell(shorten(name, 24), "col") for name in names)]
        rows = []
        for feature in features:
            shown = [values[..., feature] for values in lines.values()]
            low, high = (float(f([f(values) for values in shown])) for f in (np.nanmin, np.nanmax))
            cells = "".join(
                f"<td>{_drawing({k: v[p, :, feature] for k, v in lines.items()}, low, high, told)}"
                "</td>"
                for p, name in zip(places, names, strict=True)
                for told in [f"{name}, feature {feature}"]
            )
            rows.append(head_cell(f"feature {feature}", "row") + cells)
        for name, values in gallery.figures.items():
            figures = (cell(number(values[p], 2, padded=True), "error") for p in places)
            rows.append(head_cell(name, "row") + "".join(figures))
        tables.append(table("" if start else gallery.title, head, rows, "gallery"))
    key = "; ".join(
        f"{how}: {name}" for how, name in zip(_STYLES.values(), gallery.versions, strict=False)
    )
    told = f"{key}. Time goes to the right, {steps} steps at most."
    if width > len(features):
        left_out = width - len(features)
        told += f" The {len(features)} features it misses most; {left_out} more are left out."
    return f'<p class="key">{told}</p>\n' + scroll("".join(tables), gallery.title)


def _spread(X: Array) -> Array:
    spread = np.nanstd(X, axis=(0, 1))
    return np.where(spread > 0, spread, 1.0)


def _drawing(lines: dict[str, Array], low: float, high: float, told: str) -> str:
    drawn = "".join(
        f'<polyline class="{name}" points="{_points(values, low, high)}"/>'
        for name, values in lines.items()
    )
    return (
        f'<svg class="course" role="img" aria-label="{esc(told)}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"><title>{esc(told)}: '
        f"{number(low)} to {number(high)}</title>{drawn}</svg>"
    )


def _points(values: Array, low: float, high: float) -> str:
    across = (_WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)
    upward = (_HEIGHT - 2 * _EDGE) / (high - low if high > low else 1.0)
    return " ".join(
        f"{_EDGE + step * across:.1f},{_HEIGHT - _EDGE - (value - low) * upward:.1f}"
        for step, value in enumerate(values.tolist())
        if np.isfinite(value)
    )
