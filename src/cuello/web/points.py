"""The samples of a run as points: embeddings, labels, errors, and 2-D coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from torch import nn

from cuello.arrays import Array, Bools, Float32s, Floats, Indices
from cuello.errors import RunError
from cuello.estimators import Autoencoder
from cuello.report.content import principal_plane
from cuello.run import Run

__all__ = [
    "MOST_POINTS",
    "AffineLayer",
    "Colouring",
    "Points",
    "Projection",
    "gather_points",
    "projections",
    "through",
]

MOST_POINTS = 60_000
"""Points that a browser draws, zooms and searches without a pause."""


@dataclass(frozen=True, kw_only=True)
class Colouring:
    """A property of every point by which points can be coloured."""

    name: str
    values: Array
    """(n,), codes into ``classes`` (-1: unlabelled), or numbers (NaN: missing)."""
    classes: tuple[str, ...] | None = None
    """None: the values are numbers."""


@dataclass(frozen=True, kw_only=True)
class Points:
    """Samples of a run in the order of its embeddings, an official test split last."""

    embeddings: Float32s
    """(n, latents)."""
    row: Indices
    """Number of each sample within its array, (n,)."""
    names: Array | None
    """Texts (n,); None: samples have no names."""
    learnable: Bools
    """Whether a labels file can name the sample: all but an official test split, (n,)."""
    colourings: tuple[Colouring, ...]
    error: Floats | None = None
    """Mean squared error of each scaled sample, (n,); None: the data is not at hand."""
    values: Array | None = None
    """(n, ...), the samples in the units of the data; None: not at hand."""
    notes: tuple[str, ...] = ()
    """For the reader: what is left out."""

    def take(self, which: Array) -> Points:
        """Return some of the points."""
        names = ("embeddings", "row", "names", "learnable", "error", "values")
        arrays = {name: getattr(self, name) for name in names}
        taken: Any = {name: None if a is None else a[which] for name, a in arrays.items()}
        colourings = tuple(replace(c, values=c.values[which]) for c in self.colourings)
        return replace(self, colourings=colourings, **taken)


def gather_points(run: Run, most: int = MOST_POINTS) -> Points:
    """Read the embeddings of a run, and its data where that is still at hand.

    Otherwise the test samples that the run folder keeps (up to 2,000) are shown; notes say so.
    """
    points, splits = _read_embeddings(run)
    try:
        data = run.training_data()
        X = data.X if data.X_test is None else np.concatenate([data.X, data.X_test])
        points = replace(points, values=X, error=-run.autoencoder.score_samples(X))
    except RunError as error:
        points = _kept_in_folder(run, points, splits)
        note = f"The samples are not in this page: {' '.join(str(error).split())}"
        points = replace(points, notes=(note, *points.notes))
    if len(points.embeddings) > most:
        total = len(points.embeddings)
        points = points.take(np.linspace(0, total - 1, most).astype(np.int64))
        note = f"{most:,} of {total:,} samples are shown, evenly spaced."
        points = replace(points, notes=(*points.notes, note))
    return points


def _read_embeddings(run: Run) -> tuple[Points, Array]:
    """Return the points without their samples, and the split that each belongs to."""
    table, embeddings = run.stored_embeddings()
    columns = table.column_names
    try:
        row = table["row"].to_numpy()
        splits = np.asarray(table["split"].to_pylist() if "split" in columns else [])
        names = table["name"].to_pylist() if "name" in columns else None
        colourings = tuple(_colourings(run, table))
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"{run.folder.path}/embeddings.parquet cannot be used ({reason}); restore the folder, "
            "or run the fit again."
        ) from error
    if not len(embeddings):
        raise RunError(f"{run.folder.path}/embeddings.parquet holds no row; run the fit again.")
    # Samples of an official test split are numbered from 0 again, after those of the other splits.
    again = np.flatnonzero(np.diff(row) <= 0)
    learnable = np.arange(len(row)) <= (again[0] if len(again) else len(row))
    points = Points(
        embeddings=np.nan_to_num(embeddings),
        row=np.asarray(row, dtype=np.int64),
        names=None if names is None else np.array([str(name or "") for name in names]),
        learnable=learnable,
        colourings=colourings,
    )
    return points, splits


def _colourings(run: Run, table: pa.Table) -> Iterator[Colouring]:
    columns = table.column_names
    if "label" in columns and run.classes:
        code_of = {name: code for code, name in enumerate(run.classes)}
        codes = np.array([code_of.get(name, -1) for name in table["label"].to_pylist()])
        yield Colouring(name="class", values=codes, classes=run.classes)
    elif "label" in columns:
        yield Colouring(name="label", values=_numbers(table["label"]))
    for name in run.properties:
        if f"label {name}" in columns:
            values = np.nan_to_num(_numbers(table[f"label {name}"]), nan=-1).astype(np.int64)
            yield Colouring(name=name, values=values, classes=("no", "yes"))
    if "anomaly_score" in columns:
        yield Colouring(name="anomaly score", values=_numbers(table["anomaly_score"]))
    if "split" in columns:
        order = ("train", "validation", "test")
        codes = np.array([order.index(split) for split in table["split"].to_pylist()])
        yield Colouring(name="split", values=codes, classes=order)
    if "labelled" in columns:
        codes = table["labelled"].to_numpy().astype(np.int64)
        yield Colouring(name="label used", values=codes, classes=("no", "yes"))


def _numbers(column: pa.ChunkedArray) -> Floats:
    return np.array([np.nan if v is None else float(v) for v in column.to_pylist()])


def _kept_in_folder(run: Run, points: Points, splits: Array) -> Points:
    """Return the test samples that the run folder keeps for its report."""
    arrays = run.folder.read_arrays("examples.npz")
    tested = np.flatnonzero(splits == "test")
    kept = arrays.get("projection_rows")
    if kept is None or not len(kept) or kept.max() >= len(tested):
        return points
    points = points.take(tested[kept])
    note = f"The {len(kept):,} test samples that the run folder keeps are shown."
    points = replace(points, notes=(*points.notes, note))
    images = arrays.get("projection_images")
    if images is None or run.is_of_sequences:
        return points
    low, high = run.autoencoder.scaling_.invert(np.array([[0.0, 1.0]], dtype=np.float32))[0]
    is_bytes = arrays["typical_original"].dtype == np.uint8
    values = images if is_bytes else low + images.astype(np.float32) / 255 * (high - low)
    return replace(points, values=values, error=arrays["projection_errors"])


class AffineLayer(NamedTuple):
    """Weights (outputs, inputs) and bias (outputs,) of a linear layer."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A network from embeddings to coordinates, and one back."""

    name: str
    """Where there is a choice."""
    titles: tuple[str, ...]
    """Of the axes, one each."""
    meaning: str
    """The end of "a point is decoded as ..."; empty where a point is an embedding."""
    forward: tuple[AffineLayer, ...]
    """From embeddings to coordinates; between two layers is a ReLU."""
    inverse: tuple[AffineLayer, ...]
    """From coordinates to embeddings, likewise."""


def projections(embeddings: Float32s, projector: Autoencoder | None = None) -> list[Projection]:
    """Return the projections in which embeddings (n, latents) can be shown, the best one first."""
    latents = embeddings.shape[1]
    if latents > 2:
        learned = [] if projector is None else [_learned(projector)]
        return [*learned, _principal_plane(embeddings)]
    same = (AffineLayer(np.eye(latents), np.zeros(latents)),)
    titles = tuple(f"latent {k + 1}" for k in range(latents))
    return [Projection(name="latents", titles=titles, meaning="", forward=same, inverse=same)]


def _principal_plane(embeddings: Float32s) -> Projection:
    axes, centre, titles = principal_plane(embeddings)
    return Projection(
        name="PCA",
        titles=titles,
        meaning="the plane of the first two principal components, all others at their mean. The "
        "sliders leave that plane",
        forward=(AffineLayer(axes, -axes @ centre),),
        inverse=(AffineLayer(axes.T, centre),),
    )


def _learned(projector: Autoencoder) -> Projection:
    scaling = projector.scaling_
    offset, width = np.asarray(scaling.offset), np.asarray(scaling.width)
    first, *rest = _layers(projector.module_.encoder)
    *begin, last = _layers(projector.module_.decoder)
    scaled = AffineLayer(first.weight / width, first.bias - first.weight @ (offset / width))
    return Projection(
        name="learned projection",
        titles=("learned projection of the embeddings", ""),
        meaning="the embedding that the learned projection has for it. The sliders lead to others",
        forward=(scaled, *rest),
        inverse=(*begin, AffineLayer(last.weight * width[:, None], last.bias * width + offset)),
    )


def _layers(network: nn.Module) -> list[AffineLayer]:
    return [
        AffineLayer(*(t.detach().cpu().numpy().astype(np.float64) for t in (m.weight, m.bias)))
        for m in network.modules()
        if isinstance(m, nn.Linear)
    ]


def through(layers: tuple[AffineLayer, ...], x: Array) -> Floats:
    """Return what layers, with a ReLU between them, make of x (n, inputs): (n, outputs)."""
    *hidden, last = layers
    for layer in hidden:
        x = np.maximum(x @ layer.weight.T + layer.bias, 0.0)
    return np.asarray(x @ last.weight.T + last.bias)
