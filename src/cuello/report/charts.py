"""The sections with charts: training curves, and a point in latent space for every test sample."""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np

from cuello.arrays import Record
from cuello.data.readers.base import join_names
from cuello.formats import duration, finite, number_text, rounded
from cuello.report.assets import draw, sprite
from cuello.report.content import LatentProjection, ReportContent, Section
from cuello.run.sheets import enlargement

__all__ = ["curves_section", "latent_section"]

Terms = dict[str, float]


def curves_section(content: ReportContent) -> Section:
    """Draw the curves: total loss, each term where there are two or more, the learning rate."""
    history = content.history
    if not history:
        body = draw("cuello.report/empty.html", text="No training history was kept.")
        return Section(anchor="curves", title="Training curves", body=body)
    train = [record["train"] for record in history]
    validation = [record["validation"] or {} for record in history]
    terms = list(dict.fromkeys(name for part in train + validation for name in part))
    panels = [_panel("Total loss", list(map(_total, train)), list(map(_total, validation)))]
    if len(terms) > 1:
        panels += [
            _panel(t, [p.get(t) for p in train], [p.get(t) for p in validation]) for t in terms
        ]
    epochs = [record["epoch"] for record in history]
    total, rates = panels[0], rounded(record["learning_rate"] for record in history)
    losses = total["validation"] or []
    finite_losses = [(value, index) for index, value in enumerate(losses) if value is not None]
    best = min(finite_losses)[1] if finite_losses else None
    if not any(value is not None for value in total["train"] + losses):
        panels = []
    data = {
        "epochs": epochs,
        "best": None if best is None else epochs[best],
        "panels": panels,
        "rate": rates if len(set(rates)) > 1 else None,
    }
    body = draw(
        "cuello.report/curves.html",
        sentences=_describe_curves(total, best, rates, history),
        stages=_stages(train, epochs),
        logarithmic=any(panel["positive"] for panel in panels),
        panels=panels,
        rate=data["rate"],
    )
    return Section(anchor="curves", title="Training curves", body=body, data=data)


def _total(terms: Terms) -> float | None:
    """Return the total loss of one epoch; None where there is none."""
    return math.fsum(terms.values()) if terms and np.isfinite(list(terms.values())).all() else None


def _panel(title: str, train: list[float | None], validation: list[float | None]) -> Record:
    panel: Record = {"title": title, "train": rounded(train), "validation": None}
    if any(finite(value) is not None for value in validation):
        panel["validation"] = rounded(validation)
    values = [v for v in panel["train"] + (panel["validation"] or []) if v is not None]
    panel["positive"] = bool(values) and min(values) > 0
    return panel


def _describe_curves(
    total: Record, best: int | None, rates: list[float | None], history: list[Record]
) -> list[str]:
    """Describe the curves in sentences, for those who cannot see them too."""
    epochs = [record["epoch"] for record in history]
    split = "train" if total["validation"] is None else "validation"
    values = total[split]
    shown = [value for value in values if value is not None]
    if not shown:
        sentences = ["The total loss was not finite in any epoch, so there is no curve."]
    elif len(epochs) == 1:
        sentences = [f"One epoch: {split} loss {number_text(shown[0], 4)}."]
    else:
        text = (
            f"{split.capitalize()} loss: {number_text(shown[0], 4)} at the start, "
            f"{number_text(shown[-1], 4)} at the end of {number_text(len(epochs))} epochs"
        )
        if best is not None:
            text += f"; lowest at epoch {epochs[best]}, {number_text(values[best], 4)}"
        sentences = [f"{text}."]
    if total["validation"] is None:
        sentences.append("There was no validation split, so no best epoch is marked.")
    bad = [str(epoch) for epoch, value in zip(epochs, total["train"], strict=True) if value is None]
    if bad and shown:
        word = "epoch" if len(bad) == 1 else "epochs"
        sentences.append(f"The training loss was not finite in {word} {join_names(bad, 5)}.")
    if len(set(rates)) == 1:
        sentences.append(f"The learning rate was {number_text(rates[0])} throughout.")
    seconds = math.fsum(record["seconds"] for record in history) / len(history)
    sentences.append(f"An epoch took {duration(seconds)} on average.")
    return sentences


def _stages(train: list[Terms], epochs: list[int]) -> str:
    """Return which epochs trained which terms, where that changed: totals cannot be compared."""
    pairs = zip(train, epochs, strict=True)
    stages = [
        (list(terms), [epoch for _, epoch in group])
        for terms, group in groupby(pairs, key=lambda pair: pair[0].keys())
    ]
    if len(stages) < 2:
        return ""
    texts = [
        f"{' + '.join(terms)} "
        + (f"(epochs {of[0]} to {of[-1]})" if len(of) > 1 else f"(epoch {of[0]})")
        for terms, of in stages
    ]
    return (
        f"Trained in turn: {', '.join(texts)}. Training "
        "losses can be compared within a stage, not between two."
    )


def latent_section(content: ReportContent, *, max_bytes: int) -> Section:
    """Draw the projection; its pictures take at most ``max_bytes`` of the page."""
    latent = content.latent
    if latent is None or len(latent.xy) == 0:
        body = draw("cuello.report/empty.html", text="No embeddings of test samples were kept.")
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
    points = f"Each of the {number_text(count)} points is a test sample."
    sentences = [points if count > 1 else "One test sample."]
    if latent.images is not None and data["sprite"] is None:
        sentences.append("The images would make this page too large and are left out.")
    label = "number" if latent.value is not None else "class"
    shown = f"its image, name and {label}" if data["sprite"] else "its name"
    sentences.append(
        f"Point at one to see {shown}; with the keyboard, focus the chart and use the arrow keys. "
        "Drag to zoom in, double-click to zoom out."
    )
    if latent.value is not None:
        sentences.append("The colour is the sample's label, a number.")
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
        f"Measured on {number_text(measured['rows'])} test samples, higher is better. "
        "Trustworthiness: whether the 5 nearest in the projection are near among the samples, 1 at "
        "most, 0.5 by chance."
    )
    if with_classes:
        caption += " 5-NN accuracy: how often most of the 5 nearest there are of a sample's class."

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
