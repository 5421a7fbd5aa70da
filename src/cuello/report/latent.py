"""The section on the latent space: a point for every test sample, its picture on pointing at it."""

from __future__ import annotations

from cuello.arrays import Record
from cuello.formats import number_text, rounded
from cuello.report.content import LatentProjection, ReportContent, Section
from cuello.report.pictures import sprite
from cuello.report.templates import draw
from cuello.run.sheets import enlargement

__all__ = ["latent_section"]


def latent_section(content: ReportContent, *, max_bytes: int) -> Section:
    """Draw the projection; its pictures take at most ``max_bytes`` of the page."""
    latent = content.latent
    if latent is None or len(latent.xy) == 0:
        body = draw("cuello.report/empty.html", text="No embeddings of test rows were kept.")
        return Section(anchor="latent", title="Latent space", body=body)
    data: Record = {
        "x": rounded(latent.xy[:, 0]),
        "y": rounded(latent.xy[:, 1]),
        "axes": list(latent.axes),
        "names": list(latent.names),
        "label": None if latent.label is None else latent.label.tolist(),
        "classes": [] if latent.label is None else list(content.classes),
        "value": None if latent.value is None else rounded(latent.value),
        "sprite": _sprite(latent, max_bytes),
    }
    body = draw(
        "cuello.report/projection.html",
        sentences=_describe_points(latent, data),
        quality=_projection_quality(content),
    )
    return Section(anchor="latent", title="Latent space", body=body, data=data)


def _describe_points(latent: LatentProjection, data: Record) -> list[str]:
    count = len(latent.xy)
    points = f"Each of the {number_text(count)} points is a test row."
    sentences = [points if count > 1 else "One test row."]
    if latent.images is not None and data["sprite"] is None:
        sentences.append("The images would make this page too large and are left out.")
    label = "number" if latent.value is not None else "class"
    shown = f"its image, name and {label}" if data["sprite"] else "its name"
    sentences.append(
        f"Point at one to see {shown}; with the keyboard, focus the chart and use the arrow keys. "
        "Drag to zoom in, double-click to zoom out."
    )
    if latent.value is not None:
        sentences.append("The colour is the row's label, a number.")
    if latent.label is not None:
        sentences.append("The buttons hide and show classes.")
    return sentences


def _projection_quality(content: ReportContent) -> Record | None:
    """Return a table of the quality of the projection beside PCA; None if it was not measured."""
    measured = content.metrics.get("projection")
    if not measured:
        return None
    scores = measured["methods"]
    with_classes = any(score["knn_accuracy"] is not None for score in scores.values())
    caption = (
        f"What is kept of {number_text(measured['rows'])} test rows, higher is better. "
        "Trustworthiness: whether the 5 nearest in the projection are near among the rows, 1 at "
        "most, 0.5 by chance."
    )
    if with_classes:
        caption += " 5-NN accuracy: how often most of the 5 nearest there are of a row's class."

    def figures(score: Record) -> list[str]:
        accuracy = score["knn_accuracy"]
        values = [score["trustworthiness"], None if accuracy is None else 100 * accuracy]
        return [number_text(value, padded=True) for value in values[: 1 + with_classes]]

    return {
        "columns": ["Method", "Trustworthiness", *(["5-NN accuracy (%)"] if with_classes else [])],
        "rows": [(name, figures(score)) for name, score in scores.items()],
        "caption": caption,
    }


def _sprite(latent: LatentProjection, max_bytes: int) -> Record | None:
    if latent.images is None:
        return None
    sheet = sprite(latent.images, max_bytes=max_bytes)
    if sheet is None:
        return None
    uri, columns, rows = sheet
    height, width = latent.images.shape[-2:]
    # Sized by the image itself, not by what is stored: a sheet made smaller is drawn larger.
    scale = enlargement(height, width, wanted=84)
    return {
        "uri": uri,
        "columns": columns,
        "rows": rows,
        "width": max(1, round(width * scale)),
        "height": max(1, round(height * scale)),
        "crisp": scale > 1,
    }
