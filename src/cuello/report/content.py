"""What a report shows, as plain records: :mod:`cuello.report.page` draws exactly this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from cuello.arrays import Array, Codes, Float32s, Floats, Record

__all__ = ["Gallery", "LatentProjection", "ReportContent", "Section"]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section of the page: its HTML, and what the browser needs to draw its charts."""

    anchor: str
    title: str
    body: Markup
    data: Record = field(default_factory=dict)
    """What ``page.js`` draws, as JSON; empty: no chart."""


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Samples in several versions: as they are, and what was made of them."""

    title: str
    caption: str
    versions: Mapping[str, Array]
    """By name, at least two: what the others are compared with first.

    Arrays are (n, features), (n, height, width) or (n, channels, height, width), values in the
    data's own 0..1 scale (images) or its own units (tables).
    """
    figures: Mapping[str, Floats]
    """What is measured of each sample, by name, (n,)."""
    names: tuple[str, ...]
    """What to call each sample, (n,): its number in the test split, its class."""
    sequences: bool = False
    """Samples are (time, features) in their own units, NaN after the end of short ones."""

    @property
    def first(self) -> Array:
        """What the others are compared with."""
        return next(iter(self.versions.values()))

    @property
    def second(self) -> Array:
        """What it is compared with above all: the model's."""
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
    """What to call each point when it is pointed at, (n,)."""
    images: npt.NDArray[np.uint8] | None
    """(n, height, width) or (n, channels, height, width), 0..255; None for tables."""
    value: Floats | None = None
    """The label of each sample where labels are numbers, NaN unknown; None: they are none."""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything on the page."""

    title: str
    options: Mapping[str, Mapping[str, str]]
    """Title -> {name: value}, shown as small tables: data, model, training."""
    versions: Mapping[str, str]
    """Of the libraries, and of the machine."""
    command: str
    """What repeats the run at the command line; empty where it was made from Python."""
    notes: tuple[str, ...]
    """Sentences a reader must not miss: what was skipped, filled in, decided."""
    history: list[Record]
    """One record an epoch: epoch, train {term: value}, validation {term: value} or None,
    learning_rate, seconds. NaN and infinity are shown as gaps."""
    metrics: Record
    """The contents of metrics.json."""
    classes: tuple[str, ...]
    latent: LatentProjection | None
    galleries: tuple[Gallery, ...] = ()
    applications: tuple[Gallery, ...] = ()
    """What the model is good for, shown on a few samples: anomalies, denoised ones, new ones."""
    columns: tuple[str, ...] = ()
    """Column names, for tables."""

    @property
    def best_row(self) -> Record | None:
        """The row of the few-label method that is kept; None where there is none."""
        return self.row_of(self.metrics.get("best_method"))

    def row_of(self, method: str | None, labels: int | None = None) -> Record | None:
        """Return the row of a few-label method with so many labels, or with the most, if any."""
        rows = [row for row in self.metrics["few_labels"] if row["method"] == method]
        rows = [row for row in rows if labels in (None, row["labels"])]
        return max(rows, key=lambda row: int(row["labels"]), default=None)
