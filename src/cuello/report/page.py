"""One HTML file that shows a run: it opens by double click, offline, and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from cuello import atomic
from cuello.arrays import Record
from cuello.data.readers.base import join_names
from cuello.formats import finite
from cuello.metrics import accuracy_interval
from cuello.report.assets import draw, plotly, script_json, security_policy, text_of, utf8
from cuello.report.charts import curves_section, latent_section
from cuello.report.content import ReportContent, Section, gather
from cuello.report.few_labels import few_labels_section
from cuello.report.galleries import applications_section, reconstruction_section
from cuello.report.measures import has_spread, measures
from cuello.run.few_labels import is_baseline
from cuello.run.folder import RunFolder

__all__ = ["MAX_BYTES", "SCRIPTS", "render", "write_report"]

MAX_BYTES = 5_000_000
"""The page stays below; the pictures of the latent space get what the rest leaves."""

SCRIPTS = ("page.js", "unpack.js", "legend.js", "projection.js", "start.js")
"""In the order in which they are put together."""

_SHOWN_LATENTS = 8

_OF_THE_MODEL = (
    "kind", "kind_options", "network", "network_options", "encoder", "decoder", "hidden",
    "latent_dim", "activation", "latent_activation", "initializer", "batch_norm", "dropout",
    "loss", "reduction", "output_activation", "scaling",
)  # fmt: skip


def write_report(folder: RunFolder) -> None:
    """Write ``report.html`` from the other files of a run folder."""
    atomic.write_bytes(folder.report, render(gather(folder)).encode())


def render(content: ReportContent) -> str:
    """Draw everything as one self-contained page; the same content gives the same bytes.

    Whatever a run does not have leaves a section that says so. The charts need a browser with
    ``DecompressionStream`` (all since 2023).
    """
    before = [
        few_labels_section(content),
        reconstruction_section(content),
        applications_section(content),
    ]
    after = [curves_section(content), _timing_section(content), _configuration_section(content)]
    # What the latent space takes beside its pictures: coordinates, names, markup.
    names = () if content.latent is None else content.latent.names
    fixed = 5_000 + sum(40 + 6 * len(name) for name in names)
    room = MAX_BYTES - len(_draw_page(content, [*before, *after], charts=True).encode()) - fixed
    sections = [*before, latent_section(content, max_bytes=max(0, room)), *after]
    return _draw_page(content, sections, charts=any(section.data for section in sections))


def _draw_page(content: ReportContent, sections: list[Section], *, charts: bool) -> str:
    library, library_hash = plotly() if charts else ("", "")
    script = "".join(map(text_of, SCRIPTS))
    page = draw(
        "cuello.report/page.html",
        policy=security_policy(script, *([library_hash] if charts else [])),
        title=content.title,
        style=Markup(text_of("page.css")),
        headline=_draw_headline(content),
        sections=sections,
        data=Markup(script_json({s.anchor: s.data for s in sections if s.data})),
        plotly=Markup(library),
        script=Markup(script),
    )
    return utf8(page)


def _draw_headline(content: ReportContent) -> Markup:
    """Draw the three or four figures that a hurried reader looks for, and the next steps."""
    metrics, best = content.metrics, content.kept_row
    main = measures(metrics)[0]
    mean = f"{main.key}_mean"
    rows = [row for row in metrics["few_labels"] if finite(row[mean]) is not None]
    baselines = [row for row in rows if is_baseline(row["method"])]
    return draw(
        "cuello.report/headline.html",
        main=main,
        best=best,
        interval="" if best is None else _interval_text(metrics, best),
        baseline=max(baselines, key=lambda row: float(row[mean]), default=None),
        error=finite(metrics["reconstruction"]["test_mse"]),
        metrics=metrics,
        findings=metrics.get("findings") or [],
    )


def _interval_text(metrics: Record, best: Record) -> str:
    """Return the interval of an accuracy that was measured once; empty for other scores."""
    confusion = metrics.get("confusion")
    if has_spread(best) or not confusion:
        return ""
    matrix = np.array(confusion["matrix"])
    interval = accuracy_interval(int(np.trace(matrix)), int(matrix.sum()))
    return f"95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f} %"


def _configuration_section(content: ReportContent) -> Section:
    """Draw the notes and the tables of options."""
    body = draw(
        "cuello.report/configuration.html",
        config=content.config,
        tables=_option_tables(content.config),
    )
    return Section(anchor="configuration", title="Configuration", body=body)


def _option_tables(config: Record) -> dict[str, dict[str, str]]:
    """Return the options of a run, and the diagnosis of its model, by title and name."""
    record = config["autoencoder"]
    params, resolved = record["params"], record["resolved"]
    # User-defined networks replace a named one.
    absent = ("network", "network_options") if params["encoder"] else ("encoder", "decoder")
    values = {
        name: f"auto: {_value_text(resolved[name])}"
        if params[name] == "auto" and name in resolved
        else _value_text(resolved.get(name, params[name]))
        for name in params
    }
    tables = {
        "Model": {name: values[name] for name in _OF_THE_MODEL if name not in absent},
        "Training": {name: text for name, text in values.items() if name not in _OF_THE_MODEL},
    }
    diagnosis: Mapping[str, Any] = record["diagnosis"]["statistics"]
    if diagnosis:
        tables["Diagnosis"] = {
            name.replace("_", " "): _statistic(value) for name, value in diagnosis.items()
        }
    return tables


def _statistic(value: float | list[float]) -> str:
    if isinstance(value, list):
        return join_names((f"{v:.2g}" for v in value), _SHOWN_LATENTS)
    return f"{value:.4g}"


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {option}" for name, option in value.items()) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)


def _timing_section(content: ReportContent) -> Section:
    """Draw the timing, the versions and the command that repeats the run."""
    body = draw(
        "cuello.report/timing.html",
        timing=content.metrics["timing"],
        versions=content.config["versions"],
        command=content.config.get("command"),
    )
    return Section(anchor="timing", title="Timing and reproduction", body=body)
