"""The page itself: what was gathered of one run or two, and the programs that show it."""

from __future__ import annotations

import base64
import gzip
import importlib.resources
import re
import string
from dataclasses import dataclass
from typing import Any

import numpy as np

from cuello.errors import CuelloError, InputError
from cuello.networks import NETWORKS
from cuello.report import gather
from cuello.report.assets import digest, packed, plotly, script_json, text_of, utf8
from cuello.report.curves import curves_section
from cuello.report.few_labels import few_labels_section
from cuello.report.fragments import Section, esc
from cuello.run import Run
from cuello.web.packing import Packs, store_rows
from cuello.web.plane import Layer, planes
from cuello.web.points import Points, gather_points

__all__ = ["MAX_ROW_BYTES", "SCRIPTS", "Page", "build_page", "page_html"]

MAX_ROW_BYTES = 20_000_000
"""What the rows of all runs take of the page, about, compressed."""

SCRIPTS = (
    "dom.js", "run.js", "models.js", "show.js", "map.js", "subject.js", "decode.js", "give.js",
    "odd.js", "logistic.js", "label.js", "served.js", "begin.js",
)  # fmt: skip
"""In the order in which they are put together, after those of the report."""


@dataclass(frozen=True)
class Page:
    """A page, and what is not in it."""

    html: str
    notes: tuple[str, ...]


def page_html(run: Run, other: Run | None = None) -> str:
    """Build one HTML file to explore a run in, whose models run in the browser.

    It opens offline by double click in any browser of 2023 or later. Whatever cannot be shown is
    said on the page.

    Parameters
    ----------
    run : Run
        From :func:`cuello.open_run`.
    other : Run or None
        A second run on rows of the same shape, to compare with.

    Returns
    -------
    str
        HTML, to be written as UTF-8.

    Raises
    ------
    InputError
        If the rows of the two runs have different shapes.
    RunError
        If a file of a run is missing or damaged.

    Examples
    --------
    >>> import tempfile, cuello
    >>> folder = cuello.fit("font", out=tempfile.mkdtemp(), hidden=(20,), latent_dim=2, epochs=2)
    >>> page_html(cuello.open_run(folder.path)).splitlines()[0]
    '<!doctype html>'
    """
    return build_page(run, other).html


def build_page(run: Run, other: Run | None = None) -> Page:
    """Do what :func:`page_html` does, and say what is not in the page."""
    if other is not None and other.autoencoder.shape_ != run.autoencoder.shape_:
        raise InputError(
            f"{other.folder.path} was trained on rows of shape {other.autoencoder.shape_}, "
            f"{run.folder.path} on rows of shape {run.autoencoder.shape_}; two runs can be "
            "compared where rows have the same shape."
        )
    packs = Packs()
    runs = _records([run] if other is None else [run, other], packs)
    notes = dict.fromkeys(note for record in runs for note in record["notes"])
    return Page(_document(run, other, runs, packs), tuple(notes))


def _records(runs: list[Run], packs: Packs) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    share = MAX_ROW_BYTES // (1 if _same_rows(runs[0], runs[-1]) else len(runs))
    for run in runs:
        points = gather_points(run)
        record = _record(run, points, packs)
        same = records and _same_rows(runs[0], run) and records[0]["n"] == len(points.codes)
        if same and records[0]["rows"] and points.values is not None:
            record["rows"] = records[0]["rows"]
        elif points.values is not None and not NETWORKS[run.autoencoder.network].is_sequence:
            bounds = (record["bounds"][0], record["bounds"][1])
            stored = store_rows(points.values, packs, bounds=bounds, max_bytes=share)
            record["rows"] = stored.record if stored else None
            record["notes"] += stored.notes if stored else ["Not one row fits into this page."]
        records.append(record)
    if len(records) == 2:
        for record, title in zip(records, _titles(*runs), strict=True):
            record["title"] = title
        records[1]["same_rows"] = _same_rows(*runs) and records[0]["n"] == records[1]["n"]
    return records


def _titles(one: Run, two: Run) -> list[str]:
    """Return what to call two runs: their folders, as both may be of one kind on one data set."""
    names = [run.folder.path.resolve().name for run in (one, two)]
    return [str(run.folder.path) for run in (one, two)] if names[0] == names[1] else names


def _same_rows(one: Run, two: Run) -> bool:
    return bool(one.config["data"]["fingerprint"] == two.config["data"]["fingerprint"])


def _record(run: Run, points: Points, packs: Packs) -> dict[str, Any]:
    """Return what the browser needs of a run, but its rows."""
    autoencoder = run.autoencoder
    content = gather(run.folder)
    bounds = _bounds(run, points)
    models, problem = _models(run, packs)
    sequences = NETWORKS[autoencoder.network].is_sequence
    notes = [*points.notes, *([problem] if problem else [])]
    if sequences:
        notes.append("Rows are sequences: they are on the map, but are not drawn or decoded here.")
        models = {}
    elif run.classifier is None:
        notes.append("This run has no classifier.")
    return {
        "title": content.title,
        "n": len(points.codes),
        "latents": autoencoder.latent_dim_,
        "shape": list(autoencoder.shape_),
        "image": len(autoencoder.shape_) > 1 and not sequences,
        "sequences": sequences,
        "columns": list(content.columns) or [f"column {k}" for k in range(autoencoder.shape_[0])]
        if len(autoencoder.shape_) == 1
        else [],
        "codes": packs.codes(points.codes),
        "mean": points.codes.mean(axis=0, dtype=np.float64).tolist(),
        "planes": _planes(run, points, packs),
        "row": packs.array(points.row.astype(np.int32)),
        "names": None if points.names is None else packs.json(points.names),
        "learnable": packs.array(points.learnable.astype(np.uint8)),
        "error": None if points.error is None else packs.array(points.error.astype(np.float32)),
        "colourings": [
            {
                "name": one.name,
                "classes": one.classes,
                "values": packs.array(
                    one.values.astype(np.float32 if one.classes is None else np.int16)
                ),
            }
            for one in points.colourings
        ],
        "tail": None
        if run.detector is None
        else packs.array(run.detector.scores_.tails["reconstruction"].scores.astype(np.float32)),
        "bounds": bounds,
        "light": _is_light(points, bounds),
        "width": list(autoencoder.scaling_.width),
        "task": run.task,
        "answers": _answers(run),
        "models": models,
        "rows": None,
        "same_rows": False,
        "notes": notes,
    }


def _planes(run: Run, points: Points, packs: Packs) -> list[dict[str, Any]]:
    def store(layers: tuple[Layer, ...]) -> list[dict[str, Any]]:
        return [
            {name: packs.array(part.astype(np.float32)) for name, part in layer._asdict().items()}
            for layer in layers
        ]

    return [
        {
            "name": plane.name,
            "titles": plane.titles,
            "meaning": plane.meaning,
            "inward": store(plane.inward),
            "outward": store(plane.outward),
            # Of one layer a browser has 60,000 places at once; of more, in seconds.
            "places": packs.codes(plane.place(points.codes).astype(np.float32))
            if len(plane.inward) > 1
            else None,
        }
        for plane in planes(points.codes, run.projection)
    ]


def _answers(run: Run) -> list[str]:
    """Return what the probabilities of the classifier are of, in order."""
    if run.classifier is None or run.task == "regression":
        return []
    if run.task == "multilabel":
        return list(run.properties)
    return [run.classes[int(k)] for k in run.classifier.classes_]


def _models(run: Run, packs: Packs) -> tuple[dict[str, str], str]:
    """Return where the page holds each model, or why it holds none."""
    try:
        from cuello.export import onnx_models

        return {name: packs.add(content) for name, content in onnx_models(run).items()}, ""
    except CuelloError as error:
        return {}, f"The models do not run in this page: {' '.join(str(error).split())}"


def _bounds(run: Run, points: Points) -> list[float]:
    """Return the values of black and of white."""
    scaling = run.autoencoder.scaling_
    if points.values is not None and points.values.dtype == np.uint8:
        return [0.0, 255.0]
    ends = np.array([[scaling.low], [scaling.high]], dtype=np.float32)
    low, high = (float(v) for v in scaling.invert(ends)[:, 0])
    return [0.0, 1.0] if low >= 0 and high <= 1 else [low, max(high, low + 1e-12)]


def _is_light(points: Points, bounds: list[float]) -> bool:
    """Say whether images have a light background, so that a pen should be dark."""
    if points.values is None or points.values.ndim < 3:
        return False
    some = points.values[:: max(1, len(points.values) // 500)]
    return bool(np.median(some[..., [0, -1]]) > (bounds[0] + bounds[1]) / 2)


def _document(run: Run, other: Run | None, runs: list[dict[str, Any]], packs: Packs) -> str:
    content = gather(run.folder)
    sections = [few_labels_section(content), curves_section(content), _left_out(runs)]
    data = {section.anchor: section.data for section in sections if section.data}
    library, engine, script = plotly(), _engine(), _script()
    # Hashes: a page that someone edited runs no script that is not ours. 'unsafe-eval' is for the
    # points, which Plotly draws with programs that it writes as it goes, and for WebAssembly.
    hashes = (library[1], digest(engine.encode()), digest(script.encode()))
    allowed = " ".join(f"'sha256-{found}'" for found in hashes)
    policy = (
        f"default-src 'none'; script-src {allowed} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    parts = {"plotly": library[0], "engine": packed(engine.encode()), "wasm": _wasm()}
    title = content.title if other is None else f"{runs[0]['title']} and {runs[1]['title']}"
    page = string.Template(text_of("page.html", "web")).substitute(
        policy=policy,
        title=esc(title),
        style=text_of("page.css") + text_of("page.css", "web"),
        sections="\n".join(map(_section, sections)),
        data=script_json({**data, "runs": runs}),
        packs="\n".join(
            f'<script type="application/gzip" id="{name}">{text}</script>'
            for name, text in {**packs.texts, **parts}.items()
        ),
        script=script,
    )
    return utf8(page)


def _script() -> str:
    shared = (text_of(name) for name in ("page.js", "unpack.js", "legend.js"))
    return "".join(shared) + "".join(text_of(f"js/{name}", "web") for name in SCRIPTS)


def _engine() -> str:
    """Return onnxruntime-web as a script that an element can hold: with a name, not an export."""
    text = gzip.decompress(_vendored("ort.wasm.bundle.min.mjs.gz")).decode("utf-8")
    found = re.search(r"export\{[^}]*?(\w+) as default[^}]*\};?", text)
    assert found, "onnxruntime-web exports no default"
    return text[: found.start()] + f'globalThis.ort={found[1]};dispatchEvent(new Event("ort"));\n'


def _wasm() -> str:
    return base64.b64encode(_vendored("ort-wasm-simd-threaded.wasm.gz")).decode("ascii")


def _vendored(name: str) -> bytes:
    return (importlib.resources.files("cuello.web") / "vendor" / name).read_bytes()


def _left_out(runs: list[dict[str, Any]]) -> Section:
    lines = []
    for record in runs:
        own = record["notes"] or ["Nothing was left out."]
        head = f"<h3>{esc(record['title'])}</h3>\n" if len(runs) > 1 else ""
        lines.append(head + "<ul>" + "".join(f"<li>{esc(note)}</li>" for note in own) + "</ul>\n")
    return Section(anchor="left-out", title="What is not in this page", body="".join(lines))


def _section(section: Section) -> str:
    title = f"{section.anchor}-title"
    return (
        f'<section id="{section.anchor}" aria-labelledby="{title}">\n'
        f'<h2 id="{title}">{esc(section.title)}</h2>\n{section.body}</section>\n'
    )
