"""The section with the training curves."""

from __future__ import annotations

import math
from typing import Any

from cuello.report.content import ReportContent
from cuello.report.fragments import (
    Section,
    duration,
    esc,
    finite,
    mapping,
    number,
    paragraph,
    rounded,
)

__all__ = ["curves_section"]

TOTALS = ("total", "loss")
"""Names under which a record may carry the total itself; otherwise it is the sum of the terms."""

_TOLD_STAGES = 10


def curves_section(content: ReportContent) -> Section:
    """Build the curves: total loss, each term where there are several, the learning rate."""
    history = [record for record in content.history if isinstance(record, dict)]
    if not history:
        body = paragraph("No training history was kept.", "empty")
        return Section(anchor="curves", title="Training curves", body=body)
    epochs = [record.get("epoch", place + 1) for place, record in enumerate(history)]
    train = [mapping(record.get("train")) for record in history]
    validation = [mapping(record.get("validation")) for record in history]
    terms = list(dict.fromkeys(name for part in train + validation for name in part))
    terms = [name for name in terms if name not in TOTALS]
    panels = [_panel("Total loss", [_total(p) for p in train], [_total(p) for p in validation])]
    if len(terms) > 1:
        panels += [
            _panel(t, [p.get(t) for p in train], [p.get(t) for p in validation]) for t in terms
        ]
    best = _best(panels[0]["validation"])
    rates = rounded(record.get("learning_rate") for record in history)
    data = {
        "epochs": epochs,
        "best": None if best is None else epochs[best],
        "panels": panels,
        "rate": rates if len({rate for rate in rates if rate is not None}) > 1 else None,
    }
    return Section(
        anchor="curves",
        title="Training curves",
        body=_summary(panels[0], epochs, best, rates, history)
        + _stages(train, epochs)
        + _charts(data),
        data=data,
    )


def _total(part: dict[str, Any]) -> float | None:
    """Return the total loss of one record; None where there is none or it is not finite."""
    for name in TOTALS:
        if name in part:
            return finite(part[name])
    values = [finite(value) for value in part.values()]
    if not values or None in values:
        return None
    return math.fsum(value for value in values if value is not None)


def _panel(title: str, train: list[Any], validation: list[Any]) -> dict[str, Any]:
    panel: dict[str, Any] = {"title": title, "train": rounded(train), "validation": None}
    if any(finite(value) is not None for value in validation):
        panel["validation"] = rounded(validation)
    values = [v for v in panel["train"] + (panel["validation"] or []) if v is not None]
    panel["positive"] = bool(values) and min(values) > 0
    return panel


def _best(validation: list[float | None] | None) -> int | None:
    known = [(value, place) for place, value in enumerate(validation or ()) if value is not None]
    return min(known)[1] if known else None


def _summary(
    total: dict[str, Any],
    epochs: list[Any],
    best: int | None,
    rates: list[float | None],
    history: list[dict[str, Any]],
) -> str:
    """Say in words what the curves show, for those who cannot see them too."""
    part = "train" if total["validation"] is None else "validation"
    values = total[part]
    known = [value for value in values if value is not None]
    if not known:
        text = "The total loss was not finite in any epoch, so there is no curve."
    elif len(epochs) == 1:
        text = f"One epoch: {part} loss {number(known[0], 4)}."
    else:
        text = (
            f"{part.capitalize()} loss: {number(known[0], 4)} at the start, "
            f"{number(known[-1], 4)} at the end of {number(len(epochs))} epochs"
        )
        text += (
            f"; lowest at epoch {epochs[best]}, {number(values[best], 4)}."
            if best is not None
            else "."
        )
    sentences = [text]
    if total["validation"] is None:
        sentences.append("There was no validation part, so no best epoch is marked.")
    bad = [str(epoch) for epoch, value in zip(epochs, total["train"], strict=True) if value is None]
    if bad and known:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        which = "epoch" if len(bad) == 1 else "epochs"
        sentences.append(f"The training loss was not finite in {which} {', '.join(bad[:5])}{more}.")
    distinct = {rate for rate in rates if rate is not None}
    if len(distinct) == 1:
        sentences.append(f"The learning rate was {number(distinct.pop())} throughout.")
    seconds = [finite(record.get("seconds")) for record in history]
    spent = [value for value in seconds if value is not None]
    if spent:
        sentences.append(f"An epoch took {duration(math.fsum(spent) / len(spent))} on average.")
    return paragraph(" ".join(sentences))


def _stages(train: list[dict[str, Any]], epochs: list[Any]) -> str:
    """Say which epochs trained which terms, where that changed: their totals cannot be compared."""
    stages: list[tuple[list[str], list[Any]]] = []
    for part, epoch in zip(train, epochs, strict=True):
        if part and (not stages or sorted(part) != sorted(stages[-1][0])):
            stages.append((list(part), []))
        if part:
            stages[-1][1].append(epoch)
    if len(stages) < 2:
        return ""
    told = [
        f"{' + '.join(terms)} ({'epoch' if len(own) == 1 else 'epochs'} {own[0]}"
        + (f" to {own[-1]})" if len(own) > 1 else ")")
        for terms, own in stages[:_TOLD_STAGES]
    ]
    more = len(stages) - len(told)
    return paragraph(
        f"Trained in turn: {', '.join(told)}{f', and {more} more' if more else ''}. Training "
        "losses can be compared within a stage, not between two."
    )


def _charts(data: dict[str, Any]) -> str:
    panels = data["panels"]
    if not any(v is not None for v in panels[0]["train"] + (panels[0]["validation"] or [])):
        panels = data["panels"] = []
    parts = []
    if any(panel["positive"] for panel in panels):
        parts.append(
            '<button type="button" id="log" aria-pressed="false">Logarithmic loss axis</button>\n'
        )
    for place, panel in enumerate(panels):
        kind = "chart" if place == 0 else "chart term"
        label = esc(f"{panel['title']} by epoch")
        parts.append(
            f'<div class="{kind}" id="curve-{place}" role="img" aria-label="{label}"></div>\n'
        )
    if data["rate"]:
        parts.append(
            '<div class="chart term" id="rate-chart" role="img" '
            'aria-label="Learning rate by epoch"></div>\n'
        )
    return f'<div class="curves">\n{"".join(parts)}</div>\n'
