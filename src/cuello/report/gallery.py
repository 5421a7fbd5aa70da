"""A gallery: a few samples, in several versions below one another."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from cuello.arrays import Record
from cuello.formats import number_text
from cuello.report.content import Gallery
from cuello.report.pictures import data_uri
from cuello.report.sequences import draw_sequences
from cuello.report.templates import draw, figure_text
from cuello.run.sheets import enlargement, to_pixels

__all__ = ["draw_galleries"]

GALLERY_WIDTH = 800
"""Pixels that one line of a gallery may take on a laptop screen."""

MOST_COLUMNS = 6
"""Columns of a table that a gallery shows; with more, those with the largest deviations."""

HIGHLIGHTS = 2
"""How many deviations are marked in each sample."""


def draw_galleries(galleries: tuple[Gallery, ...], columns: tuple[str, ...]) -> Markup:
    """Draw galleries below one another; those without a sample are left out.

    Parameters
    ----------
    galleries : tuple of Gallery
        What is shown.
    columns : tuple of str
        Names of columns, for tables.
    """
    drawn = []
    for gallery in galleries:
        if not len(gallery.first):
            continue
        if gallery.sequences:
            drawn.append(draw_sequences(gallery))
        elif gallery.first.ndim == 2:
            drawn.append(_draw_table(gallery, columns))
        else:
            drawn.append(_draw_images(gallery))
    return Markup("\n").join(drawn)


def _draw_images(gallery: Gallery) -> Markup:
    """Draw images in columns: original, model, PCA, and the error below."""
    versions = [(name, to_pixels(images)) for name, images in gallery.versions.items()]
    count, height, width = versions[0][1].shape[:3]
    scale = enlargement(height, width)
    shown = max(1, round(width * scale)), max(1, round(height * scale))
    most = max(4, GALLERY_WIDTH // (max(shown[0], 56) + 8))
    lines = -(-count // most)
    step = -(-count // lines)  # the same number in every line

    def line(places: range) -> Record:
        rows = []
        for name, images in versions:
            pictures = [
                draw(
                    "cuello.report/image.html",
                    uri=data_uri(images[place]),
                    width=shown[0],
                    height=shown[1],
                    text=f"{name}: {gallery.names[place]}",
                )
                for place in places
            ]
            rows.append((name, pictures))
        numbered = f"{gallery.title}, {places[0] + 1} to {places[-1] + 1}"
        return {
            "caption": gallery.title if lines == 1 else numbered,
            "names": [gallery.names[place] for place in places],
            "rows": rows,
            "figures": [(name, values[places]) for name, values in gallery.figures.items()],
        }

    return draw(
        "cuello.report/gallery.html",
        gallery=gallery,
        lines=[line(range(at, min(count, at + step))) for at in range(0, count, step)],
        crisp=scale > 1,
        key="",
    )


def _draw_table(gallery: Gallery, column_names: tuple[str, ...]) -> Markup:
    """Draw rows of a table: a line for each version, the second's largest deviations marked."""
    original = np.asarray(gallery.first, dtype=np.float64)
    spread = original.std(axis=0)
    off = np.asarray(gallery.second, dtype=np.float64) - original
    # In units of each column's spread, so that a column in dollars does not hide one in percent.
    off = np.abs(np.nan_to_num(off)) / np.where(spread > 0, spread, 1.0)
    columns = np.sort(np.argsort(-off.mean(axis=0), kind="stable")[:MOST_COLUMNS])
    # An array has columns without names.
    names = column_names or tuple(f"column {i}" for i in range(off.shape[1]))
    samples = []
    for place, deviation in enumerate(off[:, columns]):
        largest = np.argsort(-deviation, kind="stable")[:HIGHLIGHTS]
        marked = {int(k) for k in largest if deviation[k] > 0}
        figures = (
            f"{name} {number_text(values[place], 2, padded=True)}"
            for name, values in gallery.figures.items()
        )
        versions = [
            (
                version,
                [
                    (figure_text(value), line == 1 and k in marked)
                    for k, value in enumerate(values[place, columns].tolist())
                ],
            )
            for line, (version, values) in enumerate(gallery.versions.items())
        ]
        samples.append(
            {"name": gallery.names[place], "figures": ", ".join(figures), "versions": versions}
        )
    caption = (
        f"Marked: the largest deviations of {list(gallery.versions)[1]!r} in each row, in units of "
        "the column's spread."
    )
    left_out = off.shape[1] - len(columns)
    if left_out:
        caption += f" The {len(columns)} columns that deviate most; {left_out} more are left out."
    return draw(
        "cuello.report/values.html",
        gallery=gallery,
        caption=caption,
        columns=[names[column] for column in columns],
        samples=samples,
    )
