"""A gallery: a few rows, in several versions below one another."""

from __future__ import annotations

import numpy as np

from cuello.report.content import Gallery
from cuello.report.fragments import (
    cell,
    esc,
    head_cell,
    number,
    paragraph,
    scroll,
    shorten,
    table,
)
from cuello.report.pictures import data_uri
from cuello.report.sequences import sequence_gallery
from cuello.run.sheets import enlargement, to_pixels

__all__ = ["draw_gallery"]

GALLERY_WIDTH = 800
"""Pixels that one line of a gallery may take on a laptop screen."""

MOST_COLUMNS = 6
"""Columns of a table that a gallery shows; with more, those with the largest deviations."""

HIGHLIGHTS = 2
"""How many deviations are marked in each row."""


def draw_gallery(gallery: Gallery, columns: tuple[str, ...]) -> str:
    """Draw title, caption and rows; nothing where there is no row.

    Parameters
    ----------
    gallery : Gallery
    columns : tuple of str
        Names of columns, for tables.
    """
    if not len(gallery.first):
        return ""
    if gallery.sequences:
        rows = sequence_gallery(gallery)
    elif gallery.first.ndim == 2:
        rows = _table_gallery(gallery, columns)
    else:
        rows = _image_gallery(gallery)
    return f"<h3>{esc(gallery.title)}</h3>\n{paragraph(gallery.caption)}{rows}"


def _image_gallery(gallery: Gallery) -> str:
    """Show images in columns: original, model, PCA, and the error below."""
    versions = [(name, to_pixels(images)) for name, images in gallery.versions.items()]
    count, height, width = versions[0][1].shape[:3]
    scale = enlargement(height, width)
    shown = max(1, round(width * scale)), max(1, round(height * scale))
    line = max(4, GALLERY_WIDTH // (max(shown[0], 56) + 8))
    lines = -(-count // line)
    line = -(-count // lines)  # the same number in every line
    kind = "gallery crisp" if scale > 1 else "gallery"
    tables = []
    for start in range(0, count, line):
        places = range(start, min(count, start + line))
        head = ["<td></td>", *(_name(gallery.name(place)) for place in places)]
        rows = []
        for name, images in versions:
            cells = [head_cell(name, "row")]
            for place in places:
                told = esc(f"{name}: {gallery.name(place)}")
                cells.append(
                    f'<td><img src="{data_uri(images[place])}" width="{shown[0]}" '
                    f'height="{shown[1]}" alt="{told}" title="{told}"></td>'
                )
            rows.append("".join(cells))
        for name, values in gallery.figures.items():
            figures = (cell(number(values[place], 2, padded=True), "error") for place in places)
            rows.append(head_cell(name, "row") + "".join(figures))
        caption = (
            gallery.title if lines == 1 else f"{gallery.title}, {start + 1} to {places[-1] + 1}"
        )
        tables.append(table(caption, head, rows, kind))
    return scroll("".join(tables), gallery.title)


def _table_gallery(gallery: Gallery, columns_named: tuple[str, ...]) -> str:
    """Show rows of a table: a line for each version, the second's largest deviations marked."""
    original = np.asarray(gallery.first, dtype=np.float64)
    spread = original.std(axis=0)
    off = np.asarray(gallery.second, dtype=np.float64) - original
    # In units of each column's spread, so that a column in dollars does not hide one in percent.
    off = np.abs(np.nan_to_num(off)) / np.where(spread > 0, spread, 1.0)
    columns = np.sort(np.argsort(-off.mean(axis=0), kind="stable")[:MOST_COLUMNS])
    names = [*columns_named, *(f"column {i}" for i in range(len(columns_named), off.shape[1]))]
    head = [head_cell("Row", "col"), head_cell("", "col")]
    head += [_column_name(names[column]) for column in columns]
    versions = list(gallery.versions.items())
    rows = []
    for place in range(len(original)):
        deviation = off[place, columns]
        marked = set(np.argsort(-deviation, kind="stable")[:HIGHLIGHTS].tolist())
        for line, (name, values) in enumerate(versions):
            cells = []
            if line == 0:
                told = ", ".join(
                    f"{what} {number(figure[place], 2, padded=True)}"
                    for what, figure in gallery.figures.items()
                )
                called = esc(shorten(gallery.name(place)))
                cells.append(
                    f'<th scope="rowgroup" rowspan="{len(versions)}">{called}<br>'
                    f"<small>{esc(told)}</small></th>"
                )
            cells.append(head_cell(name, "row", "version"))
            for position, column in enumerate(columns):
                text = esc(number(values[place, column], padded=True))
                if line == 1 and position in marked and deviation[position] > 0:
                    text = f"<mark>{text}</mark>"
                cells.append(f'<td class="n">{text}</td>')
            rows.append("".join(cells))
    left_out = off.shape[1] - len(columns)
    caption = (
        f"Marked: the largest deviations of {versions[1][0]!r} in each row, in units of the "
        "column's spread."
    )
    if left_out:
        caption += f" The {len(columns)} columns that deviate most; {left_out} more are left out."
    return scroll(table("", head, rows, "values"), gallery.title, caption)


def _column_name(name: str) -> str:
    """Build the head of a column whose name may break after an underscore."""
    text = esc(shorten(name, 30)).replace("_", "_<wbr>")
    return f'<th scope="col" class="n" title="{esc(name)}">{text}</th>'


def _name(name: str) -> str:
    return f'<th scope="col" title="{esc(name)}">{esc(shorten(name, 24))}</th>'
