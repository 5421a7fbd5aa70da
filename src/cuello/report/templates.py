"""HTML from templates: the one Jinja environment of all pages, which escapes every value."""

from __future__ import annotations

import functools
import importlib.resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from cuello.formats import duration, number_text, shorten

__all__ = ["draw"]


def draw(template: str, **values: object) -> Markup:
    """Fill in ``package/file.html``, of the folder ``templates`` in that package.

    All values but :class:`markupsafe.Markup` are text, and escaped in HTML.

    Examples
    --------
    >>> print(draw("cuello.report/empty.html", text="2 < 3"))
    <p class="empty">2 &lt; 3</p>
    """
    return Markup(_environment().get_template(template).render(values).rstrip())


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=lambda name: str(name).endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number_text, "shorten": shorten, "duration": duration}
    environment.filters["decimals"] = "{0:.{1}f}".format
    return environment


def _source(template: str) -> str:
    package, _, name = template.partition("/")
    return (importlib.resources.files(package) / "templates" / name).read_text(encoding="utf-8")
