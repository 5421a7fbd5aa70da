"""The page of a lab, published figures and ours side by side, and the page that lists labs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cuello.report.fragments import cell, esc, head_cell, paragraph, scroll, table
from cuello.study.page import document, draw_picture, draw_protocol, draw_table
from cuello_labs.base import Findings, Lab

__all__ = ["index_page", "lab_page"]

_MARKS = {True: "holds", False: "does not hold", None: "is not decided"}


def lab_page(lab: Lab, findings: Findings, figures: Path, *, quick: bool, trials: int) -> str:
    """Draw the page of one lab; its figures are read from their folder and put inside."""
    parts = [f"<h1>{esc(lab.title)}</h1>"]
    if quick:
        parts.append(
            '<p class="quick">This is a quick run: fewer and smaller trials than the protocol asks '
            "for. Its figures say that the lab works, not what is true.</p>"
        )
    parts.append(
        f'<div class="verdict"><strong>The statement {_MARKS[findings.holds]}.</strong> '
        f"{esc(findings.verdict)}</div>"
    )
    parts.append("<h2>What was published</h2>")
    parts.append(paragraph(lab.claim) + paragraph(f"Source: {lab.source}."))
    if findings.tables:
        parts.append("<h2>Published and ours</h2>")
        parts += [draw_table(own) for own in findings.tables]
    if findings.pictures:
        parts.append("<h2>Figures</h2>")
        parts += [draw_picture(picture, figures) for picture in findings.pictures]
    parts.append("<h2>Protocol</h2>")
    command = f"cuello lab {lab.name}{' --quick' if quick else ''}"
    parts.append(draw_protocol({**lab.protocol, "trials": f"{trials:,}", "repeat it": command}))
    return document(lab.title, parts)


def index_page(labs: Sequence[tuple[Lab, Findings, str, bool]]) -> str:
    """Draw the page that lists labs: (lab, findings, address of its page, whether quick)."""
    rows = [
        f'<td><a href="{esc(address)}">{esc(lab.name)}</a></td>'
        + cell(lab.title)
        + cell(_MARKS[findings.holds] + (" (quick)" if quick else ""))
        + cell(findings.verdict)
        for lab, findings, address, quick in labs
    ]
    head = [head_cell(text, "col") for text in ("Lab", "What it is about", "Statement", "Verdict")]
    body = ["<h1>Labs</h1>", scroll(table("", head, rows), "labs")]
    return document("Labs", body)
