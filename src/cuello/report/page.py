"""One HTML file that shows a run: it opens by double click, offline, and loads nothing."""

from __future__ import annotations

import string

from cuello.report.applications import uses_section
from cuello.report.assets import digest, plotly, script_json, text_of, utf8
from cuello.report.content import ReportContent
from cuello.report.curves import curves_section
from cuello.report.few_labels import few_labels_section
from cuello.report.fragments import Section, esc
from cuello.report.latent import latent_section
from cuello.report.overview import headline, timing_section, what_was_done
from cuello.report.reconstruction import reconstruction_section

__all__ = ["MAX_BYTES", "render"]

MAX_BYTES = 5_000_000
"""The page stays below; the latent map's pictures get what the rest leaves."""


def render(content: ReportContent) -> str:
    """Draw everything as one self-contained page.

    The same content gives the same bytes. Whatever is missing in the content leaves a section
    that says so. The charts need a browser with ``DecompressionStream`` (all since 2023).

    Parameters
    ----------
    content : ReportContent

    Returns
    -------
    str
        HTML, to be written as UTF-8.

    Examples
    --------
    >>> page = render(ReportContent(title="Empty", options={}, notes=(), history=[], metrics={},
    ...                             classes=(), latent=None))
    >>> page.startswith("<!doctype html>"), len(page) < MAX_BYTES
    (True, True)
    """
    done, few, reconstruction = (
        what_was_done(content),
        few_labels_section(content),
        reconstruction_section(content),
    )
    uses, curves, timing = uses_section(content), curves_section(content), timing_section(content)
    without_map = _page(content, [done, few, reconstruction, uses, curves, timing], charts=True)
    room = MAX_BYTES - len(without_map.encode()) - _map_bytes(content)
    latent = latent_section(content, max_bytes=max(0, room))
    sections = [done, few, reconstruction, uses, latent, curves, timing]
    return _page(content, sections, charts=any(section.data for section in sections))


def _page(content: ReportContent, sections: list[Section], *, charts: bool) -> str:
    library, plotly_hash = plotly() if charts else ("", "")
    own = ("page.js", "unpack.js", "legend.js", "map.js", "start.js")
    script = "".join(map(text_of, own))
    hashes = [digest(script.encode())] + ([plotly_hash] if charts else [])
    allowed = " ".join(f"'sha256-{found}'" for found in hashes)
    # Even a page that someone edited cannot load anything or run a script that is not ours.
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    page = string.Template(text_of("page.html")).substitute(
        policy=policy,
        title=esc(content.title),
        style=text_of("page.css"),
        headline=headline(content),
        contents="\n".join(f'<li><a href="#{s.anchor}">{esc(s.title)}</a></li>' for s in sections),
        sections="\n".join(_section(place, section) for place, section in enumerate(sections, 1)),
        data=script_json({section.anchor: section.data for section in sections if section.data}),
        plotly=library,
        script=script,
    )
    return utf8(page)


def _section(place: int, section: Section) -> str:
    title = f"{section.anchor}-title"
    return (
        f'<section id="{section.anchor}" aria-labelledby="{title}">\n'
        f'<h2 id="{title}">{place}. {esc(section.title)}</h2>\n{section.body}</section>\n'
    )


def _map_bytes(content: ReportContent) -> int:
    """Bound what the latent map takes beside its pictures: coordinates, names, markup."""
    if content.latent is None:
        return 0
    return 5_000 + sum(40 + 6 * len(name) for name in content.latent.names)
