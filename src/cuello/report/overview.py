"""The head of the page, the section on what was done, and the one on timing and repeating."""

from __future__ import annotations

from cuello.report.content import ReportContent
from cuello.report.few_labels import best_row, labels_text, method_name, method_row
from cuello.report.fragments import (
    Section,
    cell,
    duration,
    esc,
    finite,
    head_cell,
    mapping,
    number,
    paragraph,
    table,
)
from cuello.report.measures import measures

__all__ = ["headline", "timing_section", "what_was_done"]

TIMINGS = {
    "train_seconds": "TrainingConfig",
    "epochs": "Epochs",
    "rows_per_second": "Rows per second while training",
    "few_label_seconds": "Few-label comparison",
    "total_seconds": "Everything",
    "peak_memory_mb": "Peak memory",
}


def headline(content: ReportContent) -> str:
    """Build the three or four figures that a hurried reader looks for."""
    figures: list[tuple[str, str, str]] = []
    best = best_row(content)
    if best is not None:
        name, main = method_name(best, content.metrics), measures(content.metrics)[0]
        what = f"{main.name[:1].upper()}{main.name[1:]} with {labels_text(best)}"
        figures.append((what, f"{main.text(best)} {main.unit}".rstrip(), name))
        scratch = method_row(content, "from_scratch", best.get("labels"))
        if scratch is not None and scratch is not best:
            reached = f"{main.text(scratch)} {main.unit}".rstrip()
            figures.append(("The same network from scratch", reached, labels_text(scratch)))
    quality = mapping(content.metrics.get("reconstruction"))
    if finite(quality.get("test_mse")) is not None:
        pca = quality.get("pca_test_mse")
        beside = "" if finite(pca) is None else f"PCA: {number(pca)}"
        figures.append(("Reconstruction error (test MSE)", number(quality["test_mse"]), beside))
    timing = mapping(content.metrics.get("timing"))
    if finite(timing.get("train_seconds")) is not None:
        epochs = finite(timing.get("epochs"))
        beside = "" if epochs is None else f"{number(epochs)} epoch{'' if epochs == 1 else 's'}"
        figures.append(("Training time", duration(timing["train_seconds"]), beside))
    if not figures:
        return ""
    items = "\n".join(
        f'<div><dt>{esc(what)}</dt><dd><span class="figure">{esc(value)}</span>'
        f'<span class="beside">{esc(beside)}</span></dd></div>'
        for what, value, beside in figures
    )
    return f'<dl class="headline">\n{items}\n</dl>'


def what_was_done(content: ReportContent) -> Section:
    """Build the notes and the tables of options."""
    parts = []
    if content.notes:
        notes = "\n".join(f"<li>{esc(note)}</li>" for note in content.notes)
        parts.append(
            '<div class="notes" role="note" aria-labelledby="notes-title">\n'
            f'<h3 id="notes-title">Please note</h3>\n<ul>\n{notes}\n</ul>\n</div>\n'
        )
    sections = {
        title: {what: value for what, value in rows.items() if what.lower() != "command"}
        for title, rows in content.options.items()
        if title.lower() != "versions"
    }
    if not any(title.lower() == "data" for title in sections):
        sections = {"Data": _data_rows(content)} | sections
    tables = "".join(_pairs(_title(name), rows) for name, rows in sections.items() if rows)
    if tables:
        parts.append(f'<div class="pairs">\n{tables}</div>\n')
    body = "".join(parts) or paragraph("Nothing was recorded about how this model was made.")
    return Section(anchor="done", title="What was done", body=body)


def timing_section(content: ReportContent) -> Section:
    """Build the timing table, the versions and the command that repeats the run."""
    timing = mapping(content.metrics.get("timing"))
    rows = {
        TIMINGS.get(key, _title(key)): _timing_value(key, timing[key])
        for key in [*TIMINGS, *sorted(set(timing) - set(TIMINGS))]
        if finite(timing.get(key)) is not None
    }
    tables = _pairs("Timing", rows) if rows else ""
    command = ""
    for title, options in content.options.items():
        if title.lower() == "versions":
            listed = {what: value for what, value in options.items() if what.lower() != "command"}
            tables += _pairs("Versions", listed) if listed else ""
        for what, value in options.items():
            if what.lower() == "command":
                command = value
    body = f'<div class="pairs">\n{tables}</div>\n' if tables else ""
    if command:
        body += (
            "<h3>Repeat it</h3>\n"
            f'<pre class="command" tabindex="0"><code id="command">{esc(command)}</code></pre>\n'
            '<button type="button" id="copy" hidden>Copy the command</button>\n'
        )
    if not body:
        body = paragraph("Neither times nor versions were recorded for this run.")
    return Section(anchor="timing", title="Timing and reproduction", body=body)


def _data_rows(content: ReportContent) -> dict[str, str]:
    data = mapping(content.metrics.get("data"))
    rows = {key: str(data[key]) for key in ("name", "source") if data.get(key)}
    for part, count in mapping(data.get("rows")).items():
        rows[f"{part} rows"] = number(count)
    if isinstance(data.get("shape"), (list, tuple)):
        rows["shape of a row"] = " × ".join(str(side) for side in data["shape"])
    if isinstance(data.get("classes"), (list, tuple)) and data["classes"]:
        rows["classes"] = number(len(data["classes"]))
    if isinstance(data.get("properties"), (list, tuple)) and data["properties"]:
        rows["properties"] = number(len(data["properties"]))
    if data.get("fingerprint"):
        rows["fingerprint"] = str(data["fingerprint"])
    return rows


def _pairs(caption: str, rows: dict[str, str]) -> str:
    lines = (head_cell(str(what), "row") + cell(str(value)) for what, value in rows.items())
    return table(caption, (), lines, "options")


def _title(name: str) -> str:
    plain = name.replace("_", " ").strip()
    return plain[:1].upper() + plain[1:]


def _timing_value(key: str, value: object) -> str:
    if key.endswith("_seconds"):
        return duration(value)
    if key.endswith("_mb"):
        return f"{number(value)} MB"
    return number(value)
