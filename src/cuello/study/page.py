"""Pages of studies and labs: tables and figures in one file that opens offline."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from cuello.formats import MISSING, number_text
from cuello.report.assets import text_of
from cuello.report.templates import draw
from cuello.study.summary import Spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "Table", "draw_document", "picture_uri"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Hold a table on the page: title, heads with units, cells, and a sentence below.

    Of the cells, :class:`~cuello.study.summary.Spread` is shown as mean ± sd, and None as –.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def texts(self) -> list[tuple[str, list[str]]]:
        """Return the first cell of each row, and the others, as texts."""
        return [(_cell_text(name), list(map(_cell_text, values))) for name, *values in self.rows]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Hold a figure on the page, kept as PNG and SVG under its name.

    ``caption`` describes the figure, for those who do not see it too.
    """

    name: str
    caption: str
    figure: Figure


def picture_uri(picture: Picture, figures: Path) -> str:
    """Return a figure that was saved in a folder as a data URI, to be put inside a page."""
    content = (figures / f"{picture.name}.png").read_bytes()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def draw_document(template: str, title: str, **values: object) -> str:
    """Draw a whole page by a template that extends ``cuello.study/document.html``."""
    style = Markup(
        "".join(text_of("page.css", package) for package in ("cuello.report", "cuello.study"))
    )
    return draw(template, title=title, style=style, **values) + "\n"


def _cell_text(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, Spread):
        return str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number_text(value) if isinstance(value, float) else str(value)
