"""Galleries of sequences: for each sample and feature, the course over time as small lines."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from cuello.arrays import Array, Record
from cuello.report.content import Gallery
from cuello.report.templates import draw

__all__ = ["draw_sequences"]

MOST_FEATURES = 4
"""Features that are drawn; with more, those that the model misses most."""

SAMPLES_A_LINE = 4

_WIDTH, _HEIGHT, _EDGE = 168, 64, 3  # pixels

_STYLES = {"original": "Thick and pale", "model": "blue", "pca": "dashed"}
"""How versions are drawn, by the class of their lines."""


def draw_sequences(gallery: Gallery) -> Markup:
    """Draw samples in columns and features below one another.

    Up to three versions share the axes of a cell; all cells of a feature have the same range.
    """
    spread = np.nanstd(gallery.first, axis=(0, 1))
    off = np.abs(gallery.second - gallery.first) / np.where(spread > 0, spread, 1.0)
    worst = np.argsort(-np.nanmean(off, axis=(0, 1)), kind="stable")
    features = np.sort(worst[:MOST_FEATURES]).tolist()
    count, steps, width = gallery.first.shape
    styles = zip(_STYLES.values(), gallery.versions, strict=False)
    key = "; ".join(f"{style}: {name}" for style, name in styles)
    key += f". Time goes to the right, {steps} steps at most."
    if width > len(features):
        left_out = width - len(features)
        key += f" The {len(features)} features it misses most; {left_out} more are left out."

    def line(places: range) -> Record:
        return {
            "caption": "" if places[0] else gallery.title,
            "names": [gallery.names[place] for place in places],
            "rows": [
                (f"feature {feature}", _draw_courses(gallery, feature, places))
                for feature in features
            ],
            "figures": [(name, values[places]) for name, values in gallery.figures.items()],
        }

    starts = range(0, count, SAMPLES_A_LINE)
    lines = [line(range(at, min(count, at + SAMPLES_A_LINE))) for at in starts]
    return draw("cuello.report/gallery.html", gallery=gallery, lines=lines, crisp=False, key=key)


def _draw_courses(gallery: Gallery, feature: int, places: range) -> list[Markup]:
    courses = {
        style: values[..., feature]
        for style, values in zip(_STYLES, gallery.versions.values(), strict=False)
    }
    low = min(float(np.nanmin(values)) for values in courses.values())
    high = max(float(np.nanmax(values)) for values in courses.values())
    return [
        draw(
            "cuello.report/course.html",
            text=f"{gallery.names[place]}, feature {feature}",
            low=low,
            high=high,
            width=_WIDTH,
            height=_HEIGHT,
            lines={style: _points(course[place], low, high) for style, course in courses.items()},
        )
        for place in places
    ]


def _points(values: Array, low: float, high: float) -> str:
    across = (_WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)
    upward = (_HEIGHT - 2 * _EDGE) / (high - low if high > low else 1.0)
    return " ".join(
        f"{_EDGE + step * across:.1f},{_HEIGHT - _EDGE - (value - low) * upward:.1f}"
        for step, value in enumerate(values.tolist())
        if np.isfinite(value)
    )
