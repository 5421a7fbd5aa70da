"""The head of the page, and the sections on configuration and on timing."""

from __future__ import annotations

from markupsafe import Markup

from cuello.formats import duration, finite, number_text
from cuello.report.content import ReportContent, Section
from cuello.report.measures import labels_text, measures, method_name
from cuello.report.templates import draw

__all__ = ["configuration_section", "draw_headline", "timing_section"]


def draw_headline(content: ReportContent) -> Markup:
    """Draw the three or four figures that a hurried reader looks for."""
    figures: list[tuple[str, str, str]] = []
    metrics, best = content.metrics, content.best_row
    if best is not None:
        main, labels = measures(metrics)[0], labels_text(best["labels"])
        name = method_name(best["method"], metrics)
        figures.append((f"{main.capitalised} with {labels}", main.with_unit(best), name))
        scratch = content.row_of("from_scratch", best["labels"])
        if scratch is not None and scratch is not best:
            figures.append(("The same network from scratch", main.with_unit(scratch), labels))
    error = finite(metrics["reconstruction"]["test_mse"])
    if error is not None:
        pca = number_text(metrics["reconstruction"]["pca_test_mse"])
        figures.append(("Reconstruction error (test MSE)", number_text(error), f"PCA: {pca}"))
    timing = metrics["timing"]
    epochs = f"{number_text(timing['epochs'])} epoch{'' if timing['epochs'] == 1 else 's'}"
    figures.append(("Training time", duration(timing["train_seconds"]), epochs))
    return draw("cuello.report/headline.html", figures=figures)


def configuration_section(content: ReportContent) -> Section:
    """Draw the notes and the tables of options."""
    tables = {title[:1].upper() + title[1:]: rows for title, rows in content.options.items()}
    body = draw("cuello.report/configuration.html", notes=content.notes, tables=tables)
    return Section(anchor="configuration", title="Configuration", body=body)


def timing_section(content: ReportContent) -> Section:
    """Draw the timing, the versions and the command that repeats the run."""
    timing = content.metrics["timing"]
    rows = {
        "Training": duration(timing["train_seconds"]),
        "Epochs": number_text(timing["epochs"]),
        "Rows per second while training": number_text(timing["rows_per_second"]),
        "Few-label comparison": duration(timing["few_label_seconds"]),
        "Everything": duration(timing["total_seconds"]),
    }
    if timing["peak_memory_mb"] is not None:
        rows["Peak memory"] = f"{number_text(timing['peak_memory_mb'])} MB"
    body = draw(
        "cuello.report/timing.html",
        timing=rows,
        versions=content.versions,
        command=content.command,
    )
    return Section(anchor="timing", title="Timing and reproduction", body=body)
