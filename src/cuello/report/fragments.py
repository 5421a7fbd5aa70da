"""Small pieces of HTML, and figures as a reader wants them. Every value is escaped here."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "MISSING",
    "Section",
    "cell",
    "duration",
    "esc",
    "finite",
    "head_cell",
    "mapping",
    "number",
    "paragraph",
    "plus_minus",
    "rounded",
    "scroll",
    "shorten",
    "table",
]

MISSING = "–"


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section of the page: its HTML, and what the browser needs to draw its charts."""

    anchor: str
    title: str
    body: str
    data: dict[str, Any] = field(default_factory=dict)
    """What ``page.js`` draws, as JSON; empty: no chart."""


def esc(value: object) -> str:
    """Make any value safe between tags and inside a quoted attribute.

    Examples
    --------
    >>> esc('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(str(value), quote=True)


def shorten(text: str, longest: int = 40) -> str:
    """Cut a long name in the middle, where file names differ least.

    Examples
    --------
    >>> shorten("scan_0000000000017.png", 12)
    'scan_0…7.png'
    """
    if len(text) <= longest:
        return text
    return text[: longest // 2] + "…" + text[len(text) - (longest - 1) // 2 :]


def finite(value: object) -> float | None:
    """Return the value as a float, or None for anything that is not a finite number."""
    if isinstance(value, (bool, str)) or value is None:
        return None
    try:
        result = float(value)  # type: ignore[arg-type]  # a type without it is the case caught here
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def mapping(value: object) -> dict[str, Any]:
    """Return a dict as it is, anything else as an empty one: metrics may be incomplete."""
    return value if isinstance(value, dict) else {}


def number(value: object, digits: int = 3, *, padded: bool = False) -> str:
    """Write a number with so many significant digits, whole ones with thousands separators.

    ``padded`` keeps trailing zeros, for figures that stand side by side.

    Examples
    --------
    >>> number(0.0123456), number(1797), number(float("nan")), number(0.000012)
    ('0.0123', '1,797', '–', '1.2e-05')
    >>> number(0.01), number(0.0099999, padded=True)
    ('0.01', '0.0100')
    """
    plain = finite(value)
    if plain is None:
        return MISSING
    if plain == int(plain) and abs(plain) < 1e12:
        return f"{int(plain):,}"
    if abs(plain) >= 10**digits - 0.5:
        return f"{plain:,.0f}"
    return f"{plain:#.{digits}g}".rstrip(".") if padded else f"{plain:.{digits}g}"


def plus_minus(mean: object, sd: object) -> str:
    """Write shares of one as percent: mean ± sd, without the sign where there is no sd.

    Examples
    --------
    >>> plus_minus(0.934, 0.008), plus_minus(0.934, None)
    ('93.4 ± 0.8', '93.4')
    """
    middle, spread = finite(mean), finite(sd)
    if middle is None:
        return MISSING
    return f"{100 * middle:.1f}" + ("" if spread is None else f" ± {100 * spread:.1f}")


def duration(seconds: object) -> str:
    """Write seconds as people say them.

    Examples
    --------
    >>> duration(0.42), duration(41.3), duration(83), duration(7300)
    ('0.42 s', '41 s', '1 min 23 s', '2 h 1 min')
    """
    plain = finite(seconds)
    if plain is None:
        return MISSING
    if plain < 10:
        return f"{plain:.2g} s"
    whole = round(plain)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rounded(values: Iterable[object] | npt.NDArray[Any]) -> list[float | None]:
    """Round to 4 significant digits for JSON, which has no NaN: those become None."""
    result: list[float | None] = []
    for value in values.tolist() if isinstance(values, np.ndarray) else values:
        plain = finite(value)
        result.append(None if plain is None else float(f"{plain:.4g}"))
    return result


def paragraph(text: str, kind: str = "") -> str:
    """Build a paragraph from text that is not HTML."""
    return f'<p class="{kind}">{esc(text)}</p>\n' if kind else f"<p>{esc(text)}</p>\n"


def cell(text: str, kind: str = "") -> str:
    """Build a data cell."""
    return f'<td class="{kind}">{esc(text)}</td>' if kind else f"<td>{esc(text)}</td>"


def head_cell(text: str, scope: str, kind: str = "") -> str:
    """Build a header cell for a column (``scope="col"``) or a row (``scope="row"``)."""
    attribute = f' class="{kind}"' if kind else ""
    return f'<th scope="{scope}"{attribute}>{esc(text)}</th>'


def table(caption: str, head: Sequence[str], rows: Iterable[str], kind: str = "") -> str:
    """Build a table from head cells and rows of cells, all of them HTML already."""
    top = f"<thead><tr>{''.join(head)}</tr></thead>\n" if head else ""
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    attribute = f' class="{kind}"' if kind else ""
    name = f"<caption>{esc(caption)}</caption>" if caption else ""
    return f"<table{attribute}>{name}\n{top}<tbody>\n{body}\n</tbody></table>\n"


def scroll(content: str, label: str, caption: str = "") -> str:
    """Wrap what may be wider than a phone, so that it scrolls by itself, by keyboard too.

    The caption stays above, where it does not scroll away.
    """
    above = paragraph(caption, "caption") if caption else ""
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{esc(label)}">'
    return f"{above}{region}{content}</div>\n"
