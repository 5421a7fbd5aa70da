"""The section on few labels: what each method reaches, and the mistakes of the chosen one."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from cuello.arrays import Record
from cuello.few_label import METHODS
from cuello.formats import MISSING, finite, number_text, rounded, shorten
from cuello.report.assets import draw
from cuello.report.content import ReportContent, Section
from cuello.report.measures import has_spread, labels_text, measures, method_name
from cuello.run.baselines import BASELINES

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
            setting=_setting(content),
            rows=rows,
            ours={row["method"] for row in rows} - BASELINES.keys(),
            best=metrics["best_method"],
            explanation=_explanation(rows, content),
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
        "ours": row["method"] not in BASELINES,
        "best": row["method"] == content.metrics["best_method"],
        "labels": "" if one_count else labels_text(row["labels"]),
        "mean": shown(row[f"{main.key}_mean"]),
        "sd": shown(row[f"{main.key}_sd"]) if has_spread(row) else None,
        "draws": [shown(value) for value in row[main.key]],
    }


def _setting(content: ReportContent) -> list[str]:
    """Return sentences on what was measured where, and how the method was chosen."""
    metrics, best = content.metrics, content.best_row
    main, second = measures(metrics)
    where = metrics["evaluated_on"]
    the = "the " if where.startswith(("official ", "test ", "validation ", "held-out ")) else ""
    sentences = [f"{main.capitalised} and {second.name} are measured on {the}{where}."]
    if metrics["data"]["task"] == "multilabel":
        sentences.append("Both are means over the properties.")
    if main.key == "r2":
        sentences.append(
            "R² is 1 where every number is right, and 0 for predicting the mean of those samples; "
            "the error is in the labels' own unit."
        )
    assert best is not None, "the chosen method is among those compared"
    name = best["display_name"]
    if metrics["method"]:
        sentences.append(f"“{name}” is kept, as it was asked for.")
    elif best[f"cv_{main.key}_mean"] is not None:
        sentences.append(
            f"Of cuello's methods “{name}” was chosen by cross-validation on the labelled "
            "samples; the samples it is measured on played no part in the choice."
        )
    else:
        sentences.append(
            f"“{name}” was taken without comparing: there was no cross-validation on the "
            "labelled samples."
        )
    return sentences


def _explanation(rows: list[Record], content: ReportContent) -> list[str]:
    """Return paragraphs on how to read the table, and on the kept method."""
    main = measures(content.metrics)[0]
    repeats = {row["repeats"] for row in rows}
    text = "Every method ran once, so there is no spread to show."
    if max(repeats) > 1:
        count = " to ".join(str(n) for n in sorted({min(repeats), max(repeats)}))
        text = (
            f"± is the standard deviation over {count} repeats, each with another draw of labelled "
            "samples or, where all of them are used, another random seed; each small dot in the "
            "chart is one repeat."
        )
    if any(row[f"cv_{main.key}_mean"] is not None for row in rows):
        text += (
            f" “Cross-validated” is the {main.name} on folds of the labelled samples: all you "
            "would know without further labels."
        )
    model = "regressor" if main.key == "r2" else "classifier"
    kept = f"The {model} of this run. {' '.join(content.metrics['summary'])}"
    return [paragraph for paragraph in (text, _better_method(rows, content), kept) if paragraph]


def _better_method(rows: list[Record], content: ReportContent) -> str:
    """Return a sentence where something else than the chosen method turned out best."""
    best, main = content.best_row, measures(content.metrics)[0]
    key = f"{main.key}_mean"
    if best is None or finite(best[key]) is None:
        return ""
    rivals = [row for row in rows if row["labels"] == best["labels"] and finite(row[key])]
    top = max(rivals, key=lambda row: float(row[key]), default=best)
    if top[key] <= best[key]:
        return ""
    name = top["display_name"]
    better = "was more accurate here" if main.unit else f"reached a higher {main.name} here"
    figures = f"{main.value_text(top[key])} against {main.value_text(best[key])} {main.unit}"
    return f"Measured afterwards, “{name}” {better} than the chosen method: {figures.rstrip()}."


def _axis_title(content: ReportContent) -> str:
    main, where = measures(content.metrics)[0], content.metrics["evaluated_on"]
    title = f"{main.name} ({main.unit})" if main.unit else main.name
    for split in ("test", "validation"):
        if where.startswith((f"{split} split", f"official {split} split")):
            return f"{split} {title}" if main.unit else f"{title} on the {split} split"
    return title


def _draw_confusion(confusion: Record, method: str, *, summed: bool) -> Markup:
    """Draw the confusion matrix, rows true and columns predicted, and its largest mistakes.

    Counts are ``summed`` over repeats.
    """
    counts = np.asarray(confusion["matrix"], dtype=np.float64)
    names, dense = confusion["classes"], len(counts) > MOST_WITH_COUNTS
    right = np.trace(counts) / max(counts.sum(), 1.0)
    predictions = number_text(counts.sum()) + " predictions" + " of all repeats" * summed
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(len(counts), dtype=bool)
    wrong = np.where(diagonal, 0.0, counts)
    largest = np.argsort(-wrong, axis=None, kind="stable")[:LARGEST_MISTAKES]
    pairs = [divmod(int(index), len(names)) for index in largest if wrong.flat[index]]
    return draw(
        "cuello.report/confusion.html",
        method=method,
        caption=f"Rows: true class; columns: predicted class. {predictions}, {100 * right:.1f} % "
        "right (blue diagonal); mistakes in orange, darker for a larger share of the true class.",
        names=names,
        dense=dense,
        upright=dense or max(map(len, names)) > 4,
        counts=counts,
        percent=100 * shares,
        # The square root keeps rare mistakes visible beside frequent ones.
        strengths=np.where(diagonal, shares, np.sqrt(shares)),
        mistakes=[
            (
                names[true],
                names[predicted],
                wrong[true, predicted],
                100 * wrong[true, predicted] / counts[true].sum(),
            )
            for true, predicted in pairs
        ],
    )


def _draw_properties(properties: Record, method: str, *, summed: bool) -> Markup:
    """Draw a table of how well each property was predicted.

    ``counts`` holds ((true negatives, false positives), (false negatives, true positives)) for
    each property, ``summed`` over repeats.
    """
    total = sum(map(sum, properties["counts"][0]))
    rows = []
    for name, counts in zip(properties["names"], properties["counts"], strict=True):
        (_, false), (missed, hit) = counts
        shares = (
            (hit + missed, total),
            (total - false - missed, total),
            (hit, hit + false),
            (hit, hit + missed),
            (2 * hit, 2 * hit + false + missed),
        )
        rows.append((name, [f"{100 * a / b:.1f}" if b else MISSING for a, b in shares]))
    return draw(
        "cuello.report/properties.html",
        method=method,
        rows=rows,
        caption=f"{number_text(total)} {'predictions of all repeats' if summed else 'samples'} for "
        "each property. Precision: of the samples predicted to have it, those that do; recall: of "
        "the samples that have it, those predicted.",
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
