"""The section on few labels: which classifier the labelled examples buy, and its mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cuello.report.confusion import confusion_matrix
from cuello.report.content import ReportContent
from cuello.report.fragments import (
    Section,
    accuracy_text,
    cell,
    esc,
    finite,
    head_cell,
    mapping,
    number,
    paragraph,
    plus_minus,
    scroll,
    table,
)

__all__ = ["best_row", "few_labels_section", "labels_text", "method_name", "method_row"]

METHODS = {
    "pca_logistic": "PCA + logistic regression",
    "knn_pixels": "5-NN on pixels",
    "scratch": "From scratch",
    "frozen": "Encoder frozen",
    "slow": "Encoder at a slower rate",
    "full": "Fully fine-tuned",
    "spread": "Label spreading",
    "consistency": "Consistency training",
    "ladder": "Ladder network",
    "auto": "Automatic choice",
}
"""Human names, in the order of the table; methods that are not listed follow."""

BASELINES = ("pca_logistic", "knn_pixels", "scratch", "consistency", "ladder")
"""What makes no use of the autoencoder."""


def few_labels_section(content: ReportContent) -> Section:
    """Build the comparison as table and chart, and the best method's confusion matrix."""
    rows = _rows(content)
    parts, data = [], {}
    if rows:
        parts.append(_setting(content))
        parts.append(_method_table(rows, content))
        parts.append(
            '<div class="chart" id="few-labels-chart" role="img" aria-label="Accuracy of every '
            'method with its standard deviation, as in the table above"></div>\n'
        )
        parts.append(_explanation(rows, content))
        data = {"rows": [_chart_row(row, content) for row in rows], "unit": _unit(content)}
    elif content.classes:
        parts.append(paragraph("No classifier was trained in this run.", "empty"))
    else:
        text = "The data has no classes, so there is nothing for a classifier to learn."
        parts.append(paragraph(text, "empty"))
    confusion = mapping(content.metrics.get("confusion"))
    if confusion.get("matrix"):
        method = method_name(confusion, content.metrics)
        repeats = max((finite(row.get("repeats")) or 1 for row in rows), default=1)
        parts.append(confusion_matrix(confusion, method, summed=repeats > 1))
    return Section(anchor="few-labels", title="Few labels", body="".join(parts), data=data)


def method_name(row: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return what to call a row's method; one without a name of its own is called by its key."""
    method = str(row.get("method", ""))
    if method == "knn_pixels" and len(mapping(metrics.get("data")).get("shape") or ()) == 1:
        return "5-NN on the columns"
    plain = method.replace("_", " ")
    return METHODS.get(method, plain[:1].upper() + plain[1:])


def method_row(
    content: ReportContent, method: object, labels: object = None
) -> dict[str, Any] | None:
    """Return the row of a method with so many labels, or with the most; None if there is none."""
    found = [row for row in _rows(content) if row.get("method") == method]
    if labels is not None:
        found = [row for row in found if row.get("labels") == labels]
    return found[-1] if found else None


def best_row(content: ReportContent) -> dict[str, Any] | None:
    """Return the row of the method that cross-validation chose."""
    return method_row(content, content.metrics.get("best_method"))


def labels_text(row: dict[str, Any]) -> str:
    """Say how many labelled examples a row used."""
    labels = finite(row.get("labels"))
    if labels is None:
        return "few labels"
    return f"{number(labels)} label{'' if labels == 1 else 's'}"


def _rows(content: ReportContent) -> list[dict[str, Any]]:
    """Return the rows by number of labels, then baselines, then ours."""
    rows = content.metrics.get("few_labels")
    order = list(METHODS)

    def place(row: dict[str, Any]) -> tuple[float, int]:
        method = row.get("method")
        return finite(row.get("labels")) or 0.0, order.index(method) if method in order else len(
            order
        )

    return sorted((row for row in rows or [] if isinstance(row, dict)), key=place)


def _method_table(rows: list[dict[str, Any]], content: ReportContent) -> str:
    titles = ("Labels", "Repeats", "Accuracy (%)", "Macro F1 (%)", "Estimated (%)")
    head = [head_cell("Method", "col"), *(head_cell(title, "col", "n") for title in titles)]
    best = content.metrics.get("best_method")
    lines = []
    for row in rows:
        kind = "baseline" if row.get("method") in BASELINES else "ours"
        name = esc(method_name(row, content.metrics))
        name = f'<th scope="row"><span class="mark {kind}"></span>{name}'
        name += ' <span class="chosen">chosen</span></th>' if row.get("method") == best else "</th>"
        several = (finite(row.get("repeats")) or 0) > 1
        figures = (
            number(row.get("labels")),
            number(row.get("repeats")),
            accuracy_text(row),
            plus_minus(row.get("macro_f1_mean"), row.get("macro_f1_sd") if several else None),
            plus_minus(row.get("cv_accuracy_mean"), None),
        )
        lines.append(name + "".join(cell(figure, "n") for figure in figures))
    caption = "Squares: without the autoencoder; circles: with it."
    return scroll(table("", head, lines, "methods"), "Accuracy by method", caption)


def _setting(content: ReportContent) -> str:
    """Say what was measured where, and how the method was chosen."""
    sentences = [f"Accuracy and macro F1 are measured on {_where(content)}."]
    best = best_row(content)
    name = "" if best is None else method_name(best, content.metrics)
    if best is not None and content.metrics.get("mode"):
        sentences.append(f"“{name}” is kept, as it was asked for.")
    elif best is not None and finite(best.get("cv_accuracy_mean")) is not None:
        among = "" if best.get("method") in BASELINES else "Of the methods with the autoencoder, "
        sentences.append(
            f"{among}“{name}” was chosen by cross-validation inside the "
            "labelled examples; the rows it is measured on played no part in the choice."
        )
    elif best is not None:
        sentences.append(
            f"“{name}” was taken without comparing: there was no "
            "cross-validation inside the labelled examples."
        )
    return paragraph(" ".join(sentences))


def _explanation(rows: list[dict[str, Any]], content: ReportContent) -> str:
    repeats = {int(finite(row.get("repeats")) or 1) for row in rows}
    sentences = []
    if max(repeats) > 1:
        count = f"{min(repeats)}" if len(repeats) == 1 else f"{min(repeats)} to {max(repeats)}"
        sentences.append(
            f"± is the standard deviation over {count} repeats, each with its own draw of labelled "
            "examples or, where all of them are used, its own random start; each small dot in the "
            "chart is one repeat."
        )
    else:
        sentences.append("Every method ran once, so there is no spread to show.")
    if any(finite(row.get("cv_accuracy_mean")) is not None for row in rows):
        sentences.append(
            "“Estimated” is the accuracy that cross-validation inside the labelled examples "
            "promises: all you would know without further labels."
        )
    return paragraph(" ".join(sentences)) + _better(rows, content) + _said(content)


def _said(content: ReportContent) -> str:
    """Say what the classifier in the run folder chose."""
    said = content.metrics.get("said")
    if not isinstance(said, list) or not said:
        return ""
    return paragraph("The classifier of this run. " + " ".join(map(str, said)))


def _better(rows: list[dict[str, Any]], content: ReportContent) -> str:
    """Say so when something else than the chosen method turned out best."""
    best = best_row(content)
    reached = finite(best.get("accuracy_mean")) if best else None
    if best is None or reached is None:
        return ""
    rivals = [row for row in rows if row.get("labels") == best.get("labels")]
    top = max(rivals, key=lambda row: finite(row.get("accuracy_mean")) or 0.0)
    if (finite(top.get("accuracy_mean")) or 0.0) <= reached:
        return ""
    accuracy, name = plus_minus(top["accuracy_mean"], None), method_name(top, content.metrics)
    return paragraph(
        f"Measured afterwards, “{name}” was more accurate here than the "
        f"chosen method: {accuracy} against {plus_minus(reached, None)} %."
    )


def _where(content: ReportContent) -> str:
    """Say on which rows the accuracy was measured."""
    where = str(content.metrics.get("evaluated_on") or "rows that were not used for training")
    if where.startswith(("official ", "test ", "validation ", "held-out ")):
        return f"the {where}"
    if where not in ("train", "validation", "test"):
        return where
    data = mapping(content.metrics.get("data"))
    count = finite(mapping(data.get("rows")).get(where))
    return f"the {where} part" + ("" if count is None else f" ({number(count)} rows)")


def _unit(content: ReportContent) -> str:
    where = str(content.metrics.get("evaluated_on") or "")
    for part in ("test", "validation"):
        if where == part or where.startswith((f"{part} part", f"official {part} part")):
            return f"{part} accuracy (%)"
    return "accuracy (%)"


def _chart_row(row: dict[str, Any], content: ReportContent) -> dict[str, Any]:
    """Return what the chart draws of one row, in percent."""
    several_label_counts = len({row.get("labels") for row in _rows(content)}) > 1
    mean, sd = finite(row.get("accuracy_mean")), finite(row.get("accuracy_sd"))
    draws = [finite(value) for value in row.get("accuracy") or ()]
    return {
        "name": method_name(row, content.metrics),
        "labels": labels_text(row) if several_label_counts else "",
        "ours": row.get("method") not in BASELINES,
        "best": row.get("method") == content.metrics.get("best_method"),
        "mean": None if mean is None else round(100 * mean, 3),
        "sd": None if sd is None or len(draws) == 1 else round(100 * sd, 3),
        "draws": [round(100 * value, 3) for value in draws if value is not None],
    }
