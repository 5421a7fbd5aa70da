"""HTML from templates: the one Jinja environment of all pages, which escapes every value."""

from __future__ import annotations

import functools
import importlib.resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from cuello.formats import duration, number_text, shorten

__all__ = ["draw", "figure_text"]


def draw(template: str, **values: object) -> Markup:
    """Fill a template in.

    Parameters
    ----------
    template : str
        ``package/file.html``, of the folder ``templates`` in that package.
    **values
        What the template names. All but :class:`markupsafe.Markup` is text, and escaped.

    Examples
    --------
    >>> print(draw("cuello.report/empty.html", text="2 < 3"))
    <p class="empty">2 &lt; 3</p>
    """
    return Markup(_environment().get_template(template).render(values).rstrip())


def figure_text(value: float | None) -> str:
    """Write a number as it stands beside others: three digits, trailing zeros kept.

    Examples
    --------
    >>> figure_text(0.0099999)
    '0.0100'
    """
    return number_text(value, padded=True)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number_text, "shorten": shorten, "duration": duration}
    return environment


def _source(template: str) -> str:
    package, _, name = template.partition("/")
    return (importlib.resources.files(package) / "templates" / name).read_text(encoding="utf-8")
