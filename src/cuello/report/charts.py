"""The sections with charts: training curves, and a point in latent space for every test sample."""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np

from cuello.arrays import Record
from cuello.formats import finite, rounded
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
    judged = zip(total["validation"] or [], epochs, strict=False)
    lowest, best = min((pair for pair in judged if pair[0] is not None), default=(None, None))
    if best is None and not any(value is not None for value in total["train"]):
        panels = []
    data = {
        "epochs": epochs,
        "best": best,
        "panels": panels,
        "rate": rates if len(set(rates)) > 1 else None,
    }
    pairs = list(zip(train, epochs, total["train"], strict=True))
    stages = groupby(pairs, key=lambda pair: pair[0].keys())
    body = draw(
        "cuello.report/curves.html",
        total=total,
        lowest=lowest,
        rates=rates,
        history=history,
        not_finite=[epoch for _, epoch, value in pairs if value is None],
        stages=[(list(terms), [epoch for _, epoch, _ in group]) for terms, group in stages],
        logarithmic=any(panel["positive"] for panel in panels),
        **data,
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
    quality = content.metrics.get("projection")
    body = draw("cuello.report/projection.html", latent=latent, data=data, quality=quality)
    return Section(anchor="latent", title="Latent space", body=body, data=data)


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
