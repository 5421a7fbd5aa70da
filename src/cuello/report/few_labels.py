"""The section on few labels: which classifier the labelled examples buy, and its mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cuello.report.confusion import confusion_matrix
from cuello.report.content import ReportContent
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
    table,
)
from cuello.report.measures import measures
from cuello.report.predictions import properties_table, scatter

__all__ = ["best_row", "few_labels_section", "labels_text", "method_name", "method_row"]

METHODS = {
    "pca_logistic": "PCA + logistic regression",
    "pca_ridge": "PCA + ridge regression",
    "knn_pixels": "5-NN on pixels",
    "from_scratch": "From scratch",
    "linear_probe": "Encoder frozen",
    "fine_tune_slow": "Encoder at a slower rate",
    "fine_tune": "Fully fine-tuned",
    "label_spreading": "Label spreading",
    "mean_teacher": "Consistency training",
    "ladder": "Ladder network",
    "auto": "Automatic choice",
}
"""Human names, in the order of the table; methods that are not listed follow."""

BASELINES = ("pca_logistic", "pca_ridge", "knn_pixels", "from_scratch", "mean_teacher", "ladder")
"""What makes no use of the autoencoder."""


def few_labels_section(content: ReportContent) -> Section:
    """Build the comparison as table and chart, and what the chosen method got wrong."""
    rows, metrics = _rows(content), content.metrics
    parts: list[str] = []
    data: dict[str, Any] = {}
    if rows:
        main = measures(metrics)[0]
        parts.append(_setting(content))
        parts.append(_method_table(rows, content))
        parts.append(
            f'<div class="chart" id="few-labels-chart" role="img" aria-label="{esc(main.name)} of '
            'every method with its standard deviation, as in the table above"></div>\n'
        )
        parts.append(_explanation(rows, content))
        data = {
            "rows": [_chart_row(row, content) for row in rows],
            "axis": _axis(content),
            "unit": main.unit,
        }
    elif content.classes or mapping(metrics.get("data")).get("task") in (
        "regression",
        "multilabel",
    ):
        parts.append(paragraph("No classifier was trained in this run.", "empty"))
    else:
        text = "The data has no classes, so there is nothing for a classifier to learn."
        parts.append(paragraph(text, "empty"))
    several = max((finite(row.get("repeats")) or 1 for row in rows), default=1) > 1
    confusion, found, pairs = (
        mapping(metrics.get(name)) for name in ("confusion", "properties", "scatter")
    )
    if confusion.get("matrix"):
        parts.append(confusion_matrix(confusion, method_name(confusion, metrics), summed=several))
    if found.get("counts"):
        parts.append(properties_table(found, method_name(found, metrics), summed=several))
    if pairs.get("true"):
        body, data["scatter"] = scatter(pairs, method_name(pairs, metrics), summed=several)
        parts.append(body)
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
    main, second = measures(content.metrics)
    estimated = f"Estimated ({main.unit or main.name})"
    titles = ("Labels", "Repeats", main.title, second.title, estimated)
    head = [head_cell("Method", "col"), *(head_cell(title, "col", "n") for title in titles)]
    best = content.metrics.get("best_method")
    lines = []
    for row in rows:
        kind = "baseline" if row.get("method") in BASELINES else "ours"
        name = esc(method_name(row, content.metrics))
        name = f'<th scope="row"><span class="mark {kind}"></span>{name}'
        name += ' <span class="chosen">chosen</span></th>' if row.get("method") == best else "</th>"
        figures = (
            number(row.get("labels")),
            number(row.get("repeats")),
            main.text(row),
            second.text(row),
            main.text(row, inside=True),
        )
        lines.append(name + "".join(cell(figure, "n") for figure in figures))
    caption = "Squares: without the autoencoder; circles: with it."
    return scroll(table("", head, lines, "methods"), f"{main.title} by method", caption)


def _setting(content: ReportContent) -> str:
    """Say what was measured where, and how the method was chosen."""
    main, second = measures(content.metrics)
    first = f"{main.name[:1].upper()}{main.name[1:]}"
    sentences = [f"{first} and {second.name} are measured on {_where(content)}."]
    if mapping(content.metrics.get("data")).get("task") == "multilabel":
        sentences.append("Both are means over the properties.")
    if main.key == "r2":
        sentences.append(
            "R² is 1 where every number is right, and 0 for answering the mean of those rows; the "
            "error is in the labels' own unit."
        )
    best = best_row(content)
    name = "" if best is None else method_name(best, content.metrics)
    if best is not None and content.metrics.get("method"):
        sentences.append(f"“{name}” is kept, as it was asked for.")
    elif best is not None and finite(best.get(f"cv_{main.key}_mean")) is not None:
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
    main = measures(content.metrics)[0]
    if any(finite(row.get(f"cv_{main.key}_mean")) is not None for row in rows):
        sentences.append(
            f"“Estimated” is the {main.name} that cross-validation inside the labelled examples "
            "promises: all you would know without further labels."
        )
    return paragraph(" ".join(sentences)) + _better(rows, content) + _said(content)


def _said(content: ReportContent) -> str:
    """Say what was chosen for the classifier, or regressor, in the run folder."""
    said = content.metrics.get("summary")
    if not isinstance(said, list) or not said:
        return ""
    number = measures(content.metrics)[0].key == "r2"
    what = f"The {'regressor' if number else 'classifier'} of this run. "
    return paragraph(what + " ".join(map(str, said)))


def _better(rows: list[dict[str, Any]], content: ReportContent) -> str:
    """Say so when something else than the chosen method turned out best."""
    best, main = best_row(content), measures(content.metrics)[0]
    key = f"{main.key}_mean"
    reached = finite(best.get(key)) if best else None
    if best is None or reached is None:
        return ""
    rivals = [row for row in rows if row.get("labels") == best.get("labels")]
    top = max(rivals, key=lambda row: finite(row.get(key)) or 0.0)
    if (finite(top.get(key)) or 0.0) <= reached:
        return ""
    name = method_name(top, content.metrics)
    better = "was more accurate here" if main.unit else f"reached a higher {main.name} here"
    figures = f"{main.said(top[key])} against {main.said(reached)} {main.unit}".rstrip()
    return paragraph(f"Measured afterwards, “{name}” {better} than the chosen method: {figures}.")


def _where(content: ReportContent) -> str:
    """Say on which rows the accuracy was measured."""
    where = str(content.metrics.get("evaluated_on") or "rows that were not used for training")
    if where.startswith(("official ", "test ", "validation ", "held-out ")):
        return f"the {where}"
    if where not in ("train", "validation", "test"):
        return where
    data = mapping(content.metrics.get("data"))
    count = finite(mapping(data.get("rows")).get(where))
    return f"the {where} split" + ("" if count is None else f" ({number(count)} rows)")


def _axis(content: ReportContent) -> str:
    main = measures(content.metrics)[0]
    title = f"{main.name} ({main.unit})" if main.unit else main.name
    where = str(content.metrics.get("evaluated_on") or "")
    for part in ("test", "validation"):
        if where == part or where.startswith((f"{part} split", f"official {part} split")):
            return f"{part} {title}" if main.unit else f"{title} on the {part} split"
    return title


def _chart_row(row: dict[str, Any], content: ReportContent) -> dict[str, Any]:
    """Return what the chart draws of one row, shares in percent."""
    several_label_counts = len({row.get("labels") for row in _rows(content)}) > 1
    main = measures(content.metrics)[0]
    mean, sd = finite(row.get(f"{main.key}_mean")), finite(row.get(f"{main.key}_sd"))
    draws = [finite(value) for value in row.get(main.key) or ()]

    def shown(value: float) -> float:
        return round(main.factor * value, 3)

    return {
        "name": method_name(row, content.metrics),
        "labels": labels_text(row) if several_label_counts else "",
        "ours": row.get("method") not in BASELINES,
        "best": row.get("method") == content.metrics.get("best_method"),
        "mean": None if mean is None else shown(mean),
        "sd": None if sd is None or len(draws) == 1 else shown(sd),
        "draws": [shown(value) for value in draws if value is not None],
    }
