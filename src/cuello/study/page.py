"""Pages of studies and labs: tables and figures in one file that opens offline."""

from __future__ import annotations

import base64
import importlib.resources
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cuello.report.fragments import cell, esc, head_cell, number, paragraph, scroll, table
from cuello.study.summary import Spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "Table", "document", "draw_picture", "draw_protocol", "draw_table"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table on the page.

    Parameters
    ----------
    title : str
        What it compares.
    columns : sequence of str
        Heads, with units.
    rows : sequence of sequence
        Texts and numbers; a :class:`~cuello.study.summary.Spread` is shown as mean ± sd, None as –.
    note : str
        A sentence below.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure on the page, kept as PNG and SVG under its name.

    ``caption`` says what is to be seen, for those who do not see it too.
    """

    name: str
    caption: str
    figure: Figure


def draw_table(own: Table) -> str:
    """Return a table with its title and note."""
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


def draw_picture(picture: Picture, figures: Path) -> str:
    """Return a figure that was saved in a folder, put inside the page."""
    data = base64.b64encode((figures / f"{picture.name}.png").read_bytes()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{esc(picture.caption)}">'
        f"<figcaption>{esc(picture.caption)}</figcaption></figure>"
    )


def draw_protocol(rows: Mapping[str, str]) -> str:
    """Return what was done, as a list of terms."""
    items = "".join(f"<dt>{esc(k)}</dt><dd>{esc(v)}</dd>" for k, v in rows.items())
    return f'<dl class="protocol">{items}</dl>'


def document(title: str, parts: Iterable[str]) -> str:
    """Return the whole page."""
    style = "".join(
        importlib.resources.files(room).joinpath("page.css").read_text("utf-8")
        for room in ("cuello.report", "cuello.study")
    )
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{esc(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, Spread):
        return str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)
