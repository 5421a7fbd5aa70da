"""The section with the latent map: a point for every test row, its picture on pointing at it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.report.content import LatentProjection, ReportContent
from cuello.report.fragments import (
    MISSING,
    Section,
    cell,
    finite,
    head_cell,
    mapping,
    number,
    paragraph,
    rounded,
    scroll,
    table,
)
from cuello.report.pictures import sprite
from cuello.run.sheets import enlargement

__all__ = ["latent_section"]

MOST_POINTS = 5000
"""What a browser draws as single, sharp points without a pause."""


def latent_section(content: ReportContent, *, max_bytes: int) -> Section:
    """Build the map; its pictures take at most ``max_bytes`` of the page."""
    latent = content.latent
    if latent is None or len(latent.xy) == 0:
        body = paragraph("No codes of test rows were kept for a map.", "empty")
        return Section(anchor="latent", title="Latent map", body=body)
    keep = _evenly(len(latent.xy))
    data: dict[str, Any] = {
        "x": rounded(latent.xy[keep, 0]),
        "y": rounded(latent.xy[keep, 1]),
        "axes": list(latent.axes),
        "names": [latent.names[i] if i < len(latent.names) else f"row {i}" for i in keep.tolist()],
        "label": None,
        "classes": [],
        "sprite": None,
    }
    if latent.label is not None:
        codes = np.asarray(latent.label)[keep]
        data["label"] = codes.tolist()
        data["classes"] = _class_names(content.classes, codes)
    if latent.value is not None:
        data["value"] = rounded(np.asarray(latent.value)[keep])
    sentences = [_count_text(len(keep), len(latent.xy))]
    if latent.images is not None:
        data["sprite"] = _sprite(latent, keep, max_bytes)
        if data["sprite"] is None:
            sentences.append("The images would make this page too large and are left out.")
    kind = "number" if latent.value is not None else "class"
    shown = f"its image, name and {kind}" if data["sprite"] else "its name"
    sentences.append(
        f"Point at one to see {shown}; with the keyboard, focus the map and use the arrow keys. "
        "Drag to zoom in, double-click to zoom out."
    )
    if latent.value is not None:
        sentences.append("The colour is the row's label, a number.")
    if data["label"] is not None:
        sentences.append("The buttons hide and show classes.")
    body = (
        paragraph(" ".join(sentences))
        + '<div class="map" id="map"><div class="chart" id="latent-chart" tabindex="0" '
        'role="application" aria-label="Latent map: left and right arrow keys go from point to '
        'point"></div></div>\n<div class="legend" id="latent-legend" role="group" '
        'aria-label="Classes on the map"></div>\n' + _quality(content)
    )
    return Section(anchor="latent", title="Latent map", body=body, data=data)


def _quality(content: ReportContent) -> str:
    """Build the table of what the map keeps, beside PCA."""
    measured = mapping(content.metrics.get("projection"))
    ways = {name: mapping(found) for name, found in mapping(measured.get("methods")).items()}
    if not ways:
        return ""
    classes = any(finite(found.get("knn_accuracy")) is not None for found in ways.values())
    heads = ["Way", "Trustworthiness", *(["5-NN accuracy (%)"] if classes else [])]

    def line(name: str, found: dict[str, Any]) -> str:
        accuracy = finite(found.get("knn_accuracy"))
        share = MISSING if accuracy is None else number(100 * accuracy, padded=True)
        figures = [number(found.get("trustworthiness"), padded=True), *([share] if classes else [])]
        return head_cell(name, "row") + "".join(cell(figure, "n") for figure in figures)

    head = [head_cell(text, "col", "n" if place else "") for place, text in enumerate(heads)]
    told = (
        f"What is kept of {number(measured.get('rows'))} test rows, higher is better. "
        "Trustworthiness: whether the 5 nearest on the map are near among the rows, 1 at most, "
        "0.5 by chance."
    )
    if classes:
        told += " 5-NN accuracy: how often most of the 5 nearest on the map are of a row's class."
    lines = [line(*way) for way in ways.items()]
    return scroll(table("", head, lines), "What the map keeps", told)


def _evenly(count: int) -> npt.NDArray[np.int64]:
    """Return which rows are drawn: all, or so many evenly spaced ones."""
    if count <= MOST_POINTS:
        return np.arange(count, dtype=np.int64)
    return np.linspace(0, count - 1, MOST_POINTS).astype(np.int64)


def _count_text(drawn: int, count: int) -> str:
    if drawn < count:
        return f"Each point is a test row; {number(drawn)} of {number(count)} are drawn."
    return f"Each of the {number(count)} points is a test row." if count > 1 else "One test row."


def _class_names(classes: tuple[str, ...], codes: npt.NDArray[np.int64]) -> list[str]:
    """Return a name for every code that occurs, known or not."""
    highest = int(codes.max(initial=-1))
    return list(classes) + [f"class {code}" for code in range(len(classes), highest + 1)]


def _sprite(
    latent: LatentProjection, keep: npt.NDArray[np.int64], max_bytes: int
) -> dict[str, Any] | None:
    assert latent.images is not None
    sheet = sprite(latent.images[keep], max_bytes=max_bytes)
    if sheet is None:
        return None
    height, width = latent.images.shape[-2:]
    # Sized by the image itself, not by what is stored: a sheet made smaller is drawn larger.
    scale = enlargement(height, width, wanted=84)
    return {
        "uri": sheet.uri,
        "columns": sheet.columns,
        "rows": sheet.rows,
        "width": max(1, round(width * scale)),
        "height": max(1, round(height * scale)),
        "crisp": scale > 1,
    }
