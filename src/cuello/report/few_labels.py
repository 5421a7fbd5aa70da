"""The section on few labels: what each method reaches, and the mistakes of the chosen one."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from cuello.arrays import Record
from cuello.few_label import METHODS
from cuello.formats import finite, rounded, shorten
from cuello.report.assets import draw
from cuello.report.content import ReportContent, Section
from cuello.report.measures import has_spread, measures, method_name
from cuello.run.baselines import BASELINES
from cuello.run.few_labels import is_baseline

__all__ = ["few_labels_section"]

MOST_WITH_COUNTS = 20
"""Above so many classes the cells are too small for figures; pointing at one still tells them."""

LARGEST_MISTAKES = 6


def few_labels_section(content: ReportContent) -> Section:
    """Draw the comparison as table and chart, and the mistakes of the chosen method."""
    metrics, rows = content.metrics, _sorted_rows(content)
    if not rows:
        text = "No classifier was trained in this run."
        if metrics["data"]["task"] == "multiclass" and not content.classes:
            text = "The data has no classes, so there is nothing for a classifier to learn."
        body = draw("cuello.report/empty.html", text=text)
        return Section(anchor="few-labels", title="Few labels", body=body)
    main, second = measures(metrics)
    parts = [
        draw(
            "cuello.report/few_labels.html",
            main=main,
            second=second,
            metrics=metrics,
            rows=rows,
            ours={row["method"] for row in rows if not is_baseline(row["method"])},
            best=content.kept_row,
            better=_best_after_all(content),
        )
    ]
    data: Record = {
        "rows": [_chart_row(row, content) for row in rows],
        "axis": _axis_title(content),
        "unit": main.unit,
    }
    summed = any(map(has_spread, rows))
    for key, draw_figure in (("confusion", _draw_confusion), ("properties", _draw_properties)):
        if metrics.get(key):
            name = method_name(metrics[key]["method"], metrics)
            parts.append(draw_figure(metrics[key], name, summed=summed))
    if metrics.get("scatter"):
        name = method_name(metrics["scatter"]["method"], metrics)
        body, data["scatter"] = _draw_scatter(metrics["scatter"], name, summed=summed)
        parts.append(body)
    body = Markup("\n").join(parts)
    return Section(anchor="few-labels", title="Few labels", body=body, data=data)


def _sorted_rows(content: ReportContent) -> list[Record]:
    """Return the rows by number of labels, then baselines, then methods as they are registered."""
    order = [*BASELINES, *METHODS]

    def position(row: Record) -> tuple[int, int]:
        method = row["method"]
        return row["labels"], order.index(method) if method in order else len(order)

    return sorted(content.metrics["few_labels"], key=position)


def _chart_row(row: Record, content: ReportContent) -> Record:
    """Return a row as the chart draws it, shares in percent."""
    main = measures(content.metrics)[0]
    one_count = len({other["labels"] for other in content.metrics["few_labels"]}) == 1

    def shown(value: float) -> float | None:
        return None if finite(value) is None else round(main.factor * value, 3)

    return {
        "name": row["display_name"],
        "ours": not is_baseline(row["method"]),
        "best": row["method"] == content.metrics["method"],
        "labels": "" if one_count else f"{row['labels']:,} label{'s' * (row['labels'] != 1)}",
        "mean": shown(row[f"{main.key}_mean"]),
        "sd": shown(row[f"{main.key}_sd"]) if has_spread(row) else None,
        "draws": [shown(value) for value in row[main.key]],
    }


def _best_after_all(content: ReportContent) -> Record | None:
    """Return the row that turned out better than that of the chosen method, if one did."""
    best, key = content.kept_row, f"{measures(content.metrics)[0].key}_mean"
    if best is None or finite(best[key]) is None:
        return None
    rows = content.metrics["few_labels"]
    rivals = [row for row in rows if row["labels"] == best["labels"] and finite(row[key])]
    top = max(rivals, key=lambda row: float(row[key]), default=best)
    return top if top[key] > best[key] else None


def _axis_title(content: ReportContent) -> str:
    main, where = measures(content.metrics)[0], content.metrics["evaluated_on"]
    title = f"{main.name} ({main.unit})" if main.unit else main.name
    for split in ("test", "validation"):
        if where.startswith((f"{split} split", f"official {split} split")):
            return f"{split} {title}" if main.unit else f"{title} on the {split} split"
    return title


def _draw_confusion(confusion: Record, method: str, *, summed: bool) -> Markup:
    """Draw the confusion matrix, rows true and columns predicted, and its largest mistakes."""
    counts = np.asarray(confusion["matrix"], dtype=np.float64)
    names, dense = confusion["classes"], len(counts) > MOST_WITH_COUNTS
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(len(counts), dtype=bool)
    wrong = np.where(diagonal, 0.0, counts)
    largest = np.argsort(-wrong, axis=None, kind="stable")[:LARGEST_MISTAKES]
    return draw(
        "cuello.report/confusion.html",
        method=method,
        summed=summed,
        names=names,
        dense=dense,
        upright=dense or max(map(len, names)) > 4,
        counts=counts,
        percent=100 * shares,
        # The square root keeps rare mistakes visible beside frequent ones.
        strengths=np.where(diagonal, shares, np.sqrt(shares)),
        mistakes=[divmod(int(index), len(names)) for index in largest if wrong.flat[index]],
    )


def _draw_properties(properties: Record, method: str, *, summed: bool) -> Markup:
    """Draw a table of how well each property was predicted, by ((tn, fp), (fn, tp)) of each."""
    return draw(
        "cuello.report/properties.html",
        method=method,
        rows=zip(properties["names"], properties["counts"], strict=True),
        total=sum(map(sum, properties["counts"][0])),
        summed=summed,
    )


def _draw_scatter(pairs: Record, method: str, *, summed: bool) -> tuple[Markup, Record]:
    """Draw the chart of predicted against true numbers; also return what the browser draws."""
    both = zip(rounded(pairs["true"]), rounded(pairs["predicted"]), strict=True)
    points = [(true, predicted) for true, predicted in both if None not in (true, predicted)]
    body = draw("cuello.report/scatter.html", method=method, count=len(points), summed=summed)
    return body, {
        "name": shorten(pairs["name"], 30),
        "true": [true for true, _ in points],
        "predicted": [predicted for _, predicted in points],
    }
