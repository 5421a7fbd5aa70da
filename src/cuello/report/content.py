"""What a report shows, as plain records: :mod:`cuello.report.page` draws exactly this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Gallery", "LatentProjection", "ReportContent"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Rows in several versions: as they are, and what was made of them."""

    title: str
    caption: str
    versions: Mapping[str, Array]
    """By name, at least two: what the others are compared with first.

    Arrays are (n, features), (n, height, width) or (n, channels, height, width), values in the
    data's own 0..1 scale (images) or its own units (tables).
    """
    figures: Mapping[str, npt.NDArray[np.float64]]
    """What is told of each row, by name, (n,)."""
    names: tuple[str, ...]
    """What to call each row: its number in the test part, its class."""
    sequences: bool = False
    """Rows are (time, features) in their own units, NaN after the end of short ones."""

    @property
    def first(self) -> Array:
        """What the others are compared with."""
        return next(iter(self.versions.values()))

    @property
    def second(self) -> Array:
        """What it is compared with above all: the model's."""
        return list(self.versions.values())[1]

    def name(self, place: int) -> str:
        """Return what to call a row."""
        return self.names[place] if place < len(self.names) else f"row {place}"


@dataclass(frozen=True, kw_only=True)
class LatentProjection:
    """Codes of test rows in a plane."""

    xy: npt.NDArray[np.float32]
    """(n, 2)."""
    axes: tuple[str, str]
    """Axis titles, for example ("first principal component of the codes (31 %)", ...)."""
    label: npt.NDArray[np.int64] | None
    """Codes into ``ReportContent.classes``, -1 unknown; None: the data has no classes."""
    names: tuple[str, ...]
    """What to call each point when it is pointed at, (n,)."""
    images: npt.NDArray[np.uint8] | None
    """(n, height, width) or (n, channels, height, width), 0..255; None for tables."""
    value: npt.NDArray[np.float64] | None = None
    """The label of each row where labels are numbers, NaN unknown; None: they are none."""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything on the page."""

    title: str
    options: dict[str, dict[str, str]]
    """Section title -> {what: value}, shown as small tables: data, model, training, ...

    A section called "versions", and the value of "command" in any section, are shown at the end,
    under timing and reproduction.
    """
    notes: tuple[str, ...]
    """Sentences a reader must not miss: what was skipped, filled in, decided."""
    history: list[dict[str, Any]]
    """One record an epoch: epoch, train {term: value}, validation {term: value} or None,
    learning_rate, seconds. A term called "total" or "loss" is the total itself; without one the
    total is the sum of the terms. NaN and infinity are shown as gaps."""
    metrics: dict[str, Any]
    """The contents of metrics.json; whatever is missing is left out of the page."""
    classes: tuple[str, ...]
    latent: LatentProjection | None
    galleries: tuple[Gallery, ...] = ()
    uses: tuple[Gallery, ...] = ()
    """What the model is good for, shown on a few rows: anomalies, cleaned rows, new ones."""
    columns: tuple[str, ...] = field(default=())
    """Column names, for tables."""
