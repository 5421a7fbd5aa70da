"""The page itself: the records of one run or two, and the programs that show them."""

from __future__ import annotations

import base64
import gzip
import importlib.resources
import re

from markupsafe import Markup

from cuello.arrays import Record
from cuello.errors import InputError
from cuello.report.assets import (
    digest,
    draw,
    packed,
    plotly,
    script_json,
    security_policy,
    text_of,
    utf8,
)
from cuello.report.charts import curves_section
from cuello.report.content import ReportContent, Section, gather
from cuello.report.few_labels import few_labels_section
from cuello.run import Run
from cuello.web.records import Packs, pack_runs

__all__ = ["PROGRAMS", "build_page", "page_html"]

PROGRAMS = (
    "dom.js", "run.js", "models.js", "show.js", "points.js", "plot.js", "subject.js", "decode.js",
    "input.js", "anomaly.js", "logistic.js", "label.js", "served.js", "begin.js",
)  # fmt: skip
"""In the order in which they are put together, after those of the report."""


def page_html(run: Run, other: Run | None = None) -> str:
    """Build one HTML file to explore a run in, whose models run in the browser.

    It opens offline by double click in any browser of 2023 or later. Whatever cannot be shown is
    listed on the page.

    Parameters
    ----------
    run : Run
        From :func:`cuello.open_run`.
    other : Run or None
        A second run on samples of the same shape, to compare with.

    Returns
    -------
    str
        HTML, to be written as UTF-8.

    Raises
    ------
    InputError
        If the samples of the two runs have different shapes.
    RunError
        If a file of a run is missing or damaged.

    Examples
    --------
    >>> import tempfile, cuello
    >>> folder = cuello.fit("font", out=tempfile.mkdtemp(), hidden=(20,), latent_dim=2, epochs=2)
    >>> page_html(cuello.open_run(folder.path)).splitlines()[0]
    '<!doctype html>'
    """
    return build_page(run, other)[0]


def build_page(run: Run, other: Run | None = None) -> tuple[str, list[str]]:
    """Return the page of :func:`page_html`, and the notes on what it leaves out."""
    if other is not None and other.autoencoder.shape_ != run.autoencoder.shape_:
        raise InputError(
            f"{other.folder.path} was trained on samples of shape {other.autoencoder.shape_}, "
            f"{run.folder.path} on samples of shape {run.autoencoder.shape_}; two runs can be "
            "compared where samples have the same shape."
        )
    runs, packs = [run] if other is None else [run, other], Packs()
    contents = [gather(one.folder) for one in runs]
    records = pack_runs(runs, contents, packs)
    notes = dict.fromkeys(note for record in records for note in record["notes"])
    return _document(contents[0], records, packs), list(notes)


def _document(content: ReportContent, records: list[Record], packs: Packs) -> str:
    runs = [(record["title"], record["notes"]) for record in records]
    left_out = Section(
        anchor="left-out",
        title="Left out of this page",
        body=draw("cuello.web/left_out.html", runs=runs),
    )
    sections = [few_labels_section(content), curves_section(content), left_out]
    data = {section.anchor: section.data for section in sections if section.data}
    library, library_hash = plotly()
    engine, programs = _engine(), [text_of(f"js/{name}", "cuello.web") for name in PROGRAMS]
    script = "".join([*map(text_of, ("page.js", "unpack.js", "legend.js")), *programs])
    wasm = base64.b64encode(_vendored("ort-wasm-simd-threaded.wasm.gz")).decode("ascii")
    hashes = (library_hash, digest(engine.encode()))
    policy = security_policy(script, *hashes, more=" 'wasm-unsafe-eval'")
    parts = {"plotly": library, "engine": packed(engine.encode()), "wasm": wasm}
    page = draw(
        "cuello.web/page.html",
        policy=policy + "; connect-src 'self'",  # the server that it came from, if any
        title=" and ".join(title for title, _ in runs) if len(runs) > 1 else content.title,
        style=Markup(text_of("page.css") + text_of("page.css", "cuello.web")),
        sections=sections,
        data=Markup(script_json({**data, "runs": records})),
        packs={name: Markup(text) for name, text in {**packs.texts, **parts}.items()},
        script=Markup(script),
    )
    return utf8(page)


def _engine() -> str:
    """Return onnxruntime-web as a script that an element can hold: with a name, not an export."""
    text = gzip.decompress(_vendored("ort.wasm.bundle.min.mjs.gz")).decode("utf-8")
    export = re.search(r"export\{[^}]*?(\w+) as default[^}]*\};?", text)
    assert export, "onnxruntime-web exports no default"
    return text[: export.start()] + f'globalThis.ort={export[1]};dispatchEvent(new Event("ort"));\n'


def _vendored(name: str) -> bytes:
    return (importlib.resources.files("cuello.web") / "vendor" / name).read_bytes()
