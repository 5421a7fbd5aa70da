"""The content of a report, gathered from a run folder; :mod:`cuello.report.page` draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from cuello.arrays import Array, Codes, Float32s, Floats, Record
from cuello.data import Dataset
from cuello.kinds import KINDS
from cuello.networks import NETWORKS
from cuello.run.folder import RunFolder

__all__ = ["Gallery", "LatentProjection", "ReportContent", "Section", "gather", "principal_plane"]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section of the page: its HTML, and the data of its charts."""

    anchor: str
    title: str
    body: Markup
    data: Record = field(default_factory=dict)
    """What ``page.js`` draws, as JSON; empty: no chart."""


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Samples in two or more versions: originals, and reconstructions or the like."""

    title: str
    caption: str
    versions: Mapping[str, Array]
    """By name, two or more: the originals, the model's, others.

    Arrays are (n, features), (n, height, width) or (n, channels, height, width): images in 0..1,
    tables in their own units.
    """
    figures: Mapping[str, Floats]
    """Measures of each sample by name, each (n,)."""
    names: tuple[str, ...]
    """Of the samples, (n,): number in the test split, class."""
    sequences: bool = False
    """Samples are (time, features) in their own units, NaN after the end of short ones."""

    @property
    def first(self) -> Array:
        """The originals."""
        return next(iter(self.versions.values()))

    @property
    def second(self) -> Array:
        """What they are compared with above all: the model's."""
        return list(self.versions.values())[1]


@dataclass(frozen=True, kw_only=True)
class LatentProjection:
    """Embeddings of test samples, as 2-D coordinates."""

    xy: Float32s
    """(n, 2)."""
    axes: tuple[str, str]
    """Axis titles, for example ("first principal component (31 %)", ...)."""
    label: Codes | None
    """Codes into ``ReportContent.classes``, -1 unknown; None: the data has no classes."""
    names: tuple[str, ...]
    """Shown when a point is pointed at, (n,)."""
    images: npt.NDArray[np.uint8] | None
    """(n, height, width) or (n, channels, height, width), 0..255; None for tables."""
    value: Floats | None = None
    """The label of each sample where labels are numbers, NaN unknown; None: they are none."""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything on the page."""

    title: str
    config: Record
    """The contents of config.json of a finished run."""
    metrics: Record
    """The contents of metrics.json."""
    history: list[Record]
    """One record an epoch: epoch, train {term: value}, validation {term: value} or None,
    learning_rate, seconds. NaN and infinity are shown as gaps."""
    classes: tuple[str, ...]
    latent: LatentProjection | None
    galleries: tuple[Gallery, ...] = ()
    applications: tuple[Gallery, ...] = ()
    """Anomalies, denoised samples and new ones."""
    columns: tuple[str, ...] = ()
    """Column names, for tables."""

    @property
    def kept_row(self) -> Record | None:
        """The row of the kept few-label method, with the most labels; None where there is none."""
        best = self.metrics.get("method")
        rows = [row for row in self.metrics["few_labels"] if row["method"] == best]
        return max(rows, key=lambda row: int(row["labels"]), default=None)


_Shown = tuple[str, str, Mapping[str, str], Mapping[str, str]]
"""Title and caption of a gallery; names in the file to names on the page: versions, figures."""

_RECONSTRUCTED = {"original": "original", "model": "model", "pca": "PCA"}

_GALLERIES: dict[str, _Shown] = {
    name: (title, caption, _RECONSTRUCTED, {"errors": "MSE"})
    for name, title, caption in (
        ("typical", "Test samples", "Drawn at random from the test split."),
        ("best", "Best reconstructions", "The smallest errors of the test split."),
        ("worst", "Worst reconstructions", "The largest errors of the test split."),
    )
}
_APPLICATIONS: dict[str, _Shown] = {
    "anomalous": (
        "Anomalies",
        "The most anomalous test samples. One normal sample in 100 scores 2 or more, one in 1,000 "
        "scores 3. `cuello anomalies` scores all samples, and explains each score.",
        {"original": "original", "model": "model"},
        {"scores": "score"},
    ),
    "denoised": (
        "Denoising",
        "Test samples, the same with the noise that the model learned with (Gaussian, of 0.3 "
        "of the range, where it learned with none), and their reconstructions, scaled. "
        "`cuello denoise` denoises samples of yours.",
        {"original": "original", "noisy": "noisy", "result": "denoised"},
        {"before": "noise, MSE", "after": "left, MSE"},
    ),
    "sampled": (
        "Sampling",
        "Decoded from embeddings that were drawn, not from any sample; below each the nearest "
        "training sample, and how far it is (root of the mean squared difference, scaled). "
        "`cuello sample` makes more.",
        {"original": "sample", "nearest": "nearest"},
        {"distance": "distance"},
    ),
}


def gather(folder: RunFolder) -> ReportContent:
    """Collect what the page shows; refuse a run that is not finished, and damaged files."""
    config = folder.config(finished=True)
    arrays = folder.read_arrays("examples.npz")
    data, resolved = config["data"], config["autoencoder"]["resolved"]
    classes = tuple(data["classes"])
    sequences = NETWORKS[resolved["network"]].is_sequence
    encoded = Dataset(X=np.empty((0, 0)), name="", source="", encoding=data["encoding"])
    return ReportContent(
        title=f"{data['name']}: {KINDS.resolve(resolved['kind'])} autoencoder",
        config=config,
        metrics=folder.metrics(),
        history=folder.read_lines("history.jsonl"),
        classes=classes,
        latent=_projection(arrays, classes),
        galleries=_galleries(arrays, _GALLERIES, classes, sequences=sequences),
        applications=_galleries(arrays, _APPLICATIONS, classes, sequences=sequences),
        columns=encoded.columns,
    )


def _projection(arrays: Mapping[str, Array], classes: tuple[str, ...]) -> LatentProjection | None:
    if "projection_embeddings" not in arrays:
        return None
    embeddings = arrays["projection_embeddings"].astype(np.float64)
    if embeddings.shape[1] == 1:
        xy = np.column_stack([embeddings[:, 0], arrays["projection_errors"]])
        axes = ("latent 1", "reconstruction error")
    elif embeddings.shape[1] == 2:
        xy, axes = embeddings, ("latent 1", "latent 2")
    elif "projection_coordinates" in arrays:
        xy, axes = arrays["projection_coordinates"], ("learned projection of the embeddings", "")
    else:
        components, centre, axes = principal_plane(embeddings)
        xy = (embeddings - centre) @ components.T
    labels = arrays.get("projection_labels")
    numbers = labels if labels is not None and _are_numbers(labels) else None
    return LatentProjection(
        xy=xy.astype(np.float32),
        axes=axes,
        label=labels if classes else None,
        names=tuple(f"row {row}" for row in arrays["projection_rows"]),
        images=arrays.get("projection_images"),
        value=None if numbers is None or np.isnan(numbers).all() else numbers,
    )


def principal_plane(embeddings: Array) -> tuple[Floats, Floats, tuple[str, str]]:
    """Return the first two principal components (2, K), their origin, and their titles.

    (Pearson, 1901.) Each is turned so that its largest entry is positive.
    """
    exact = embeddings.astype(np.float64)
    centre = exact.mean(axis=0)
    variance, vectors = np.linalg.eigh((exact - centre).T @ (exact - centre))
    axes = vectors.T[::-1][:2]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[[0, 1], largest])[:, None]
    shares = 100 * variance[::-1][:2] / max(float(variance.sum()), 1e-12)
    first, second = (f"principal component ({share:.0f} %)" for share in shares)
    return axes, centre, (f"first {first}", f"second {second}")


def _galleries(
    arrays: Mapping[str, Array],
    shown: Mapping[str, _Shown],
    classes: tuple[str, ...],
    *,
    sequences: bool,
) -> tuple[Gallery, ...]:
    low, span = (0.0, 1.0) if sequences else _unit_range(arrays)
    return tuple(
        Gallery(
            title=title,
            caption=caption,
            versions={
                shown_name: (arrays[f"{name}_{version}"] - low) / span
                for version, shown_name in versions.items()
            },
            figures={shown_name: arrays[f"{name}_{key}"] for key, shown_name in figures.items()},
            names=_names(arrays[f"{name}_rows"], arrays.get(f"{name}_labels"), classes),
            sequences=sequences,
        )
        for name, (title, caption, versions, figures) in shown.items()
        if f"{name}_original" in arrays
    )


def _unit_range(arrays: Mapping[str, Array]) -> tuple[float, float]:
    """Return low and span with which ``(pixels - low) / span`` is in 0..1; tables stay."""
    shown = arrays.get("typical_original", np.empty((0, 0)))
    if shown.dtype == np.uint8:
        return 0.0, 255.0
    if shown.ndim < 3 or (shown.min() >= 0.0 and shown.max() <= 1.0):
        return 0.0, 1.0
    low, high = float(shown.min()), float(shown.max())
    return low, max(high - low, 1e-12)


def _names(rows: Array, labels: Array | None, classes: tuple[str, ...]) -> tuple[str, ...]:
    if labels is None or not (classes or _are_numbers(labels)):
        return tuple(f"row {row}" for row in rows)

    def label_text(label: float) -> str:
        if not label >= 0 and (classes or np.isnan(label)):
            return "unlabelled"
        return classes[int(label)] if classes else f"label {label:g}"

    return tuple(f"row {row}, {label_text(label)}" for row, label in zip(rows, labels, strict=True))


def _are_numbers(labels: Array) -> bool:
    return labels.ndim == 1 and labels.dtype.kind == "f"
