"""The section on reconstruction: the error beside PCA's, and galleries of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from cuello.report.content import Gallery, ReportContent
from cuello.report.fragments import (
    Section,
    cell,
    esc,
    finite,
    head_cell,
    mapping,
    number,
    paragraph,
    scroll,
    shorten,
    table,
)
from cuello.report.pictures import data_uri, enlargement, to_pixels
from cuello.report.sequences import sequence_gallery

__all__ = ["reconstruction_section"]

GALLERY_WIDTH = 800
"""Pixels that one line of a gallery may take on a laptop screen."""

MOST_COLUMNS = 6
"""Columns of a table that a gallery shows; with more, those with the largest deviations."""

HIGHLIGHTS = 2
"""How many deviations are marked in each row."""


def reconstruction_section(content: ReportContent) -> Section:
    """Build the comparison with PCA and every gallery."""
    parts = [_quality(content)]
    for gallery in content.galleries:
        if len(gallery.original):
            parts.append(f"<h3>{esc(gallery.title)}</h3>\n{paragraph(gallery.caption)}")
            if gallery.sequences:
                parts.append(sequence_gallery(gallery))
            elif gallery.original.ndim == 2:
                parts.append(_table_gallery(gallery, content))
            else:
                parts.append(_image_gallery(gallery))
    body = "".join(parts)
    if not body:
        body = paragraph("No test rows were reconstructed in this run.", "empty")
    return Section(anchor="reconstruction", title="Reconstruction", body=body)


def _quality(content: ReportContent) -> str:
    quality = mapping(content.metrics.get("reconstruction"))
    model, pca = finite(quality.get("test_mse")), finite(quality.get("pca_test_mse"))
    if model is None:
        return ""
    size = finite(quality.get("latent_dim"))
    same = "as many components" + ("" if size is None else f" ({number(size)})")
    text = (
        "Mean squared error per value over the test rows, lower is better: "
        f"{number(model)} for the model"
    )
    if pca is None:
        return paragraph(text + "; PCA was not computed.")
    text += f", {number(pca)} for PCA with {same}. "
    if pca <= 0:
        return paragraph(text + "PCA loses nothing here.")
    change = 100 * (1 - model / pca)
    if abs(change) < 0.05:
        return paragraph(text + "They are equal.")
    verdict = "lower than" if change > 0 else "higher than"
    return paragraph(text + f"The model's error is {abs(change):.1f} % {verdict} PCA's.")


def _versions(gallery: Gallery) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    yield "original", gallery.original
    yield "model", gallery.reconstruction
    if gallery.pca is not None:
        yield "PCA", gallery.pca


def _image_gallery(gallery: Gallery) -> str:
    """Show images in columns: original, model, PCA, and the error below."""
    versions = [(name, to_pixels(images)) for name, images in _versions(gallery)]
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
        head = ["<td></td>", *(_name(gallery.names, place) for place in places)]
        rows = []
        for name, images in versions:
            cells = [head_cell(name, "row")]
            for place in places:
                told = esc(f"{name}: {_plain_name(gallery.names, place)}")
                cells.append(
                    f'<td><img src="{data_uri(images[place])}" width="{shown[0]}" '
                    f'height="{shown[1]}" alt="{told}" title="{told}"></td>'
                )
            rows.append("".join(cells))
        errors = (cell(number(gallery.error[place], 2, padded=True), "error") for place in places)
        rows.append(head_cell("MSE", "row") + "".join(errors))
        caption = (
            gallery.title if lines == 1 else f"{gallery.title}, {start + 1} to {places[-1] + 1}"
        )
        tables.append(table(caption, head, rows, kind))
    return scroll("".join(tables), gallery.title)


def _table_gallery(gallery: Gallery, content: ReportContent) -> str:
    """Show rows of a table: three lines each, the largest deviations of the model marked."""
    original = np.asarray(gallery.original, dtype=np.float64)
    spread = original.std(axis=0)
    off = np.asarray(gallery.reconstruction, dtype=np.float64) - original
    # In units of each column's spread, so that a column in dollars does not hide one in percent.
    off = np.abs(np.nan_to_num(off)) / np.where(spread > 0, spread, 1.0)
    columns = np.sort(np.argsort(-off.mean(axis=0), kind="stable")[:MOST_COLUMNS])
    names = list(content.columns) + [
        f"column {i}" for i in range(len(content.columns), off.shape[1])
    ]
    head = [head_cell("Row", "col"), head_cell("", "col")]
    head += [_column_name(names[column]) for column in columns]
    versions = list(_versions(gallery))
    rows = []
    for place in range(len(original)):
        deviation = off[place, columns]
        marked = set(np.argsort(-deviation, kind="stable")[:HIGHLIGHTS].tolist())
        for name, values in versions:
            cells = []
            if name == "original":
                told = f"MSE {number(gallery.error[place], 2, padded=True)}"
                called = esc(shorten(_plain_name(gallery.names, place)))
                cells.append(
                    f'<th scope="rowgroup" rowspan="{len(versions)}">{called}<br>'
                    f"<small>{esc(told)}</small></th>"
                )
            cells.append(head_cell(name, "row", "version"))
            for position, column in enumerate(columns):
                text = esc(number(values[place, column], padded=True))
                if name == "model" and position in marked and deviation[position] > 0:
                    text = f"<mark>{text}</mark>"
                cells.append(f'<td class="n">{text}</td>')
            rows.append("".join(cells))
    left_out = off.shape[1] - len(columns)
    caption = "Marked: the model's largest deviations in each row, in units of the column's spread."
    if left_out:
        caption += f" The {len(columns)} columns that deviate most; {left_out} more are left out."
    return scroll(table("", head, rows, "values"), gallery.title, caption)


def _column_name(name: str) -> str:
    """Build the head of a column whose name may break after an underscore."""
    text = esc(shorten(name, 30)).replace("_", "_<wbr>")
    return f'<th scope="col" class="n" title="{esc(name)}">{text}</th>'


def _plain_name(names: tuple[str, ...], place: int) -> str:
    return names[place] if place < len(names) else f"row {place}"


def _name(names: tuple[str, ...], place: int) -> str:
    name = _plain_name(names, place)
    return f'<th scope="col" title="{esc(name)}">{esc(shorten(name, 24))}</th>'
