"""One HTML file that shows a run: it opens by double click, offline, and loads nothing."""

from __future__ import annotations

from markupsafe import Markup

from cuello import atomic
from cuello.report.assets import plotly, script_json, security_policy, text_of, utf8
from cuello.report.content import ReportContent, Section, gather
from cuello.report.curves import curves_section
from cuello.report.few_labels import few_labels_section
from cuello.report.galleries import applications_section, reconstruction_section
from cuello.report.latent import latent_section
from cuello.report.overview import configuration_section, draw_headline, timing_section
from cuello.report.templates import draw
from cuello.run.folder import RunFolder

__all__ = ["MAX_BYTES", "SCRIPTS", "render", "write_report"]

MAX_BYTES = 5_000_000
"""The page stays below; the pictures of the latent space get what the rest leaves."""

SCRIPTS = ("page.js", "unpack.js", "legend.js", "projection.js", "start.js")
"""In the order in which they are put together."""


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
    after = [curves_section(content), timing_section(content), configuration_section(content)]
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
        headline=draw_headline(content),
        sections=sections,
        data=Markup(script_json({s.anchor: s.data for s in sections if s.data})),
        plotly=Markup(library),
        script=Markup(script),
    )
    return utf8(page)
