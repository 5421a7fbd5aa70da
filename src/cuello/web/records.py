"""Records of runs for the browser: points, models and samples, packed into the page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cuello.arrays import Array, Float32s, Record
from cuello.errors import CuelloError
from cuello.few_label import FewLabelClassifier
from cuello.report.assets import packed
from cuello.report.content import ReportContent
from cuello.run import Run
from cuello.run.sheets import contact_sheet, to_pixels
from cuello.web.points import AffineLayer, Points, gather_points, projections, through

__all__ = [
    "LONGEST",
    "MAX_SAMPLE_BYTES",
    "Packs",
    "pack_runs",
    "probability_columns",
    "store_samples",
]

MAX_SAMPLE_BYTES = 20_000_000
"""Most bytes in the page of the samples of all runs, about, compressed."""
LONGEST = 64
"""Longest side, in pixels, of an image in the page."""


@dataclass(frozen=True)
class Packs:
    """Contents of the page beside its JSON: base64 of gzip by element id."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, content: bytes) -> str:
        """Take bytes in, and return the id of the element that will hold them."""
        name = f"pack-{len(self.texts)}"
        self.texts[name] = packed(content)
        return name

    def array(self, values: Array) -> dict[str, str]:
        """Take an array of uint8, uint16, int16, int32 or float32 in."""
        plain = np.ascontiguousarray(values)
        content = plain.astype(plain.dtype.newbyteorder("<")).tobytes()
        return {"pack": self.add(content), "type": plain.dtype.name}

    def json(self, value: object) -> dict[str, str]:
        """Take anything in that JSON can hold."""
        return {"pack": self.add(json.dumps(value).encode("utf-8", "replace")), "type": "json"}

    def quantised(self, values: Float32s) -> Record:
        """Take floats (n, columns) in as 16 bits each, in equal steps over each column's range."""
        low, high = values.min(axis=0), values.max(axis=0)
        step = np.maximum((high - low).astype(np.float64), 1e-12) / 65535
        stored = self.array(np.round((values - low) / step).astype(np.uint16))
        return {**stored, "low": low.tolist(), "step": step.tolist()}


def store_samples(
    values: Array, packs: Packs, *, bounds: tuple[float, float], max_bytes: int
) -> tuple[Record | None, list[str]]:
    """Put as many samples into the page as fit into so much text, evenly spaced among all.

    Images become bytes from black (the lower bound) to white. Return a record for the browser, None
    where not one sample fits, and notes on samples left out and images made smaller.
    """
    notes: list[str] = []
    images = values.ndim > 2
    stored: Array = _as_bytes(values, bounds) if images else values.astype(np.float32)
    if images and max(stored.shape[-2:]) > LONGEST:
        stored = _smaller(stored)
        size = " x ".join(map(str, stored.shape[-2:]))
        notes.append(f"Images are kept at {size} pixels, errors are those of the full size.")
    kept = np.arange(len(stored))
    some = stored[:: max(1, len(stored) // 500)]
    cost = len(packed(some.tobytes())) / len(some)
    if cost * len(stored) > max_bytes:
        kept = np.linspace(0, len(stored) - 1, int(max_bytes / cost)).astype(np.int64)
        unit = "images" if images else "samples"
        notes.append(f"To keep this page small it holds {len(kept):,} of {len(stored):,} {unit}.")
    if not len(kept):
        return None, ["Not one sample fits into this page."]
    record = {
        **packs.array(stored[kept]),
        "shape": list(stored.shape[1:]),
        "bounds": list(bounds),
        "exact": stored.shape[1:] == values.shape[1:],
        "kept": None if len(kept) == len(stored) else packs.array(kept.astype(np.int32)),
    }
    return record, notes


def _as_bytes(values: Array, bounds: tuple[float, float]) -> npt.NDArray[np.uint8]:
    low, high = bounds
    if values.dtype == np.uint8 and bounds == (0.0, 255.0):
        return np.asarray(values)
    unit = (values.astype(np.float32) - low) * (255.0 / (high - low))
    return np.asarray(np.clip(np.round(unit), 0, 255).astype(np.uint8))


def _smaller(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return images at most :data:`LONGEST` pixels a side, averaged over areas."""
    pixels = to_pixels(images)
    small = np.stack([np.asarray(contact_sheet(one[None], longest=LONGEST)[0]) for one in pixels])
    return small if small.ndim == 3 else np.ascontiguousarray(small.transpose(0, 3, 1, 2))


def pack_runs(runs: list[Run], contents: list[ReportContent], packs: Packs) -> list[Record]:
    """Return a record of each run, of one or two, its arrays put into the page."""
    records: list[Record] = []
    share = MAX_SAMPLE_BYTES // (1 if _have_same_rows(runs[0], runs[-1]) else len(runs))
    for run, content in zip(runs, contents, strict=True):
        points = gather_points(run)
        record = _pack_run(run, content, points, packs)
        same = records and _have_same_rows(runs[0], run) and records[0]["n"] == record["n"]
        if same and records[0]["rows"] and points.values is not None:
            record["rows"] = records[0]["rows"]
        elif points.values is not None and not run.is_of_sequences:
            record["rows"], notes = store_samples(
                points.values, packs, bounds=record["bounds"], max_bytes=share
            )
            record["notes"] += notes
        records.append(record)
    if len(runs) == 2:
        # Their folders, as both may be of one kind on one data set.
        paths = [run.folder.path for run in runs]
        names = [path.resolve().name for path in paths]
        for record, path, name in zip(records, paths, names, strict=True):
            record["title"] = str(path) if names[0] == names[1] else name
        records[1]["same_rows"] = _have_same_rows(*runs) and records[0]["n"] == records[1]["n"]
    return records


def _have_same_rows(one: Run, two: Run) -> bool:
    return bool(one.config["data"]["fingerprint"] == two.config["data"]["fingerprint"])


def _pack_run(run: Run, content: ReportContent, points: Points, packs: Packs) -> Record:
    """Return the record of a run without its samples."""
    shape = run.autoencoder.shape_
    bounds = _bounds(run, points)
    notes = list(points.notes)
    models: dict[str, str] = {}
    if run.is_of_sequences:
        # Without models: they would take seconds to export, and megabytes of the page.
        notes.append("Rows are sequences: they are shown as points, but not drawn or decoded here.")
    else:
        models, problem = _models(run, packs)
        notes += [problem] if problem else []
        if run.classifier is None:
            notes.append("This run has no classifier.")
    columns = list(content.columns) or [f"column {k}" for k in range(shape[0])]
    tails = None if run.detector is None else run.detector.scores_.tails["reconstruction"].scores
    return {
        "title": content.title,
        "n": len(points.embeddings),
        "latents": run.autoencoder.latent_dim_,
        "shape": list(shape),
        "image": len(shape) > 1 and not run.is_of_sequences,
        "sequences": run.is_of_sequences,
        "columns": columns if len(shape) == 1 else [],
        "embeddings": packs.quantised(points.embeddings),
        "mean": points.embeddings.mean(axis=0, dtype=np.float64).tolist(),
        "projections": _projections(run, points, packs),
        "row": packs.array(points.row.astype(np.int32)),
        "names": None if points.names is None else packs.json(points.names.tolist()),
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
        "tail": None if tails is None else packs.array(tails.astype(np.float32)),
        "bounds": bounds,
        "light": _is_light(points, bounds),
        "width": list(run.autoencoder.scaling_.width),
        "outputs": probability_columns(run),
        "models": models,
        "rows": None,
        "same_rows": False,
        "notes": notes,
    }


def _projections(run: Run, points: Points, packs: Packs) -> list[Record]:
    def store(layers: tuple[AffineLayer, ...]) -> list[Record]:
        return [
            {name: packs.array(part.astype(np.float32)) for name, part in layer._asdict().items()}
            for layer in layers
        ]

    return [
        {
            "name": one.name,
            "titles": one.titles,
            "meaning": one.meaning,
            "forward": store(one.forward),
            "inverse": store(one.inverse),
            # Of one layer a browser has 60,000 coordinates at once; of more, in seconds.
            "coordinates": packs.quantised(
                through(one.forward, points.embeddings).astype(np.float32)
            )
            if len(one.forward) > 1
            else None,
        }
        for one in projections(points.embeddings, run.projection)
    ]


def probability_columns(run: Run) -> list[str]:
    """Return the classes or properties that the classifier's probabilities are of, in order."""
    if run.task == "multilabel":
        return list(run.properties)
    if not isinstance(run.classifier, FewLabelClassifier):
        return []
    return [run.classes[int(k)] for k in run.classifier.classes_]


def _models(run: Run, packs: Packs) -> tuple[dict[str, str], str]:
    """Return the element that holds each model, or the reason why there is none."""
    try:
        from cuello.export import onnx_models

        return {name: packs.add(content) for name, content in onnx_models(run).items()}, ""
    except CuelloError as error:
        return {}, f"The models do not run in this page: {' '.join(str(error).split())}"


def _bounds(run: Run, points: Points) -> tuple[float, float]:
    """Return the values of black and of white."""
    scaling = run.autoencoder.scaling_
    if points.values is not None and points.values.dtype == np.uint8:
        return 0.0, 255.0
    ends = np.array([[scaling.low], [scaling.high]], dtype=np.float32)
    low, high = (float(v) for v in scaling.invert(ends)[:, 0])
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, max(high, low + 1e-12))


def _is_light(points: Points, bounds: tuple[float, float]) -> bool:
    """Return whether images have a light background, so that a pen should be dark."""
    if points.values is None or points.values.ndim < 3:
        return False
    some = points.values[:: max(1, len(points.values) // 500)]
    return bool(np.median(some[..., [0, -1]]) > (bounds[0] + bounds[1]) / 2)
