"""The page of a lab: published figures and ours side by side, in one file that opens offline."""

from __future__ import annotations

import base64
import importlib.resources
from collections.abc import Iterable, Sequence
from pathlib import Path

from cuello.labs.base import Findings, Lab, Table
from cuello.report.fragments import cell, esc, head_cell, number, paragraph, scroll, table
from cuello.study.summary import Spread

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
        parts += [_table(own) for own in findings.tables]
    if findings.pictures:
        parts.append("<h2>Figures</h2>")
    for picture in findings.pictures:
        data = base64.b64encode((figures / f"{picture.name}.png").read_bytes()).decode()
        parts.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="{esc(picture.caption)}">'
            f"<figcaption>{esc(picture.caption)}</figcaption></figure>"
        )
    parts.append("<h2>Protocol</h2>")
    rows = {**lab.protocol, "trials": f"{trials:,}", "repeat it": _command(lab, quick)}
    items = "".join(f"<dt>{esc(k)}</dt><dd>{esc(v)}</dd>" for k, v in rows.items())
    parts.append(f'<dl class="protocol">{items}</dl>')
    return _page(lab.title, parts)


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
    return _page("Labs", body)


def _command(lab: Lab, quick: bool) -> str:
    return f"cuello lab {lab.name}{' --quick' if quick else ''}"


def _table(own: Table) -> str:
    head = [head_cell(text, "col", "n" if i else "") for i, text in enumerate(own.columns)]
    rows = (
        "".join(
            head_cell(_text(value), "row") if i == 0 else cell(_text(value), "n")
            for i, value in enumerate(row)
        )
        for row in own.rows
    )
    below = paragraph(own.note, "key") if own.note else ""
    return f"<h3>{esc(own.title)}</h3>{scroll(table('', head, rows), own.title)}{below}"


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, Spread):
        return str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)


def _page(title: str, parts: Iterable[str]) -> str:
    style = "".join(
        importlib.resources.files(room).joinpath("page.css").read_text("utf-8")
        for room in ("cuello.report", "cuello.labs")
    )
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{esc(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
