"""What goes in and out, for one run: shapes, ranges and names are part of the types.

So a request that does not fit is refused before any work, with the place of what is wrong, and the
OpenAPI document says what would fit.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    confloat,
    conlist,
    constr,
    create_model,
)

from cuello.few_label import METHODS
from cuello.networks import NETWORKS
from cuello.run import Run

__all__ = [
    "MAX_LABELS",
    "MAX_NEIGHBOURS",
    "MAX_ROWS",
    "Answers",
    "Codes",
    "Described",
    "History",
    "Labels",
    "Limits",
    "Neighbour",
    "Neighbours",
    "Refit",
    "RefitWish",
    "Row",
    "Rows",
    "codes_in",
    "labels_in",
    "rows_in",
]

MAX_ROWS = 1000
"""In one request."""
MAX_NEIGHBOURS = 100
MAX_LABELS = 10_000
"""In one request."""
_BEYOND = 1e6  # how far from the training rows a value may be, in units of their range
_PRINTED = r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$"
"""Text without control characters, that neither begins nor ends with a space."""
_REFITTED = tuple(name for name, method in METHODS.items() if method.refittable)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Limits(BaseModel):
    """Of a request."""

    rows: int = MAX_ROWS
    neighbours: int = MAX_NEIGHBOURS
    labels: int = MAX_LABELS


class Described(BaseModel):
    """What is served."""

    name: str
    status: str
    """``finished``, or ``running``: then only this and the history are answered."""
    kind: str
    network: str
    shape: list[int]
    """Of a row; the first number of a sequence's is its greatest length."""
    latent_dim: int | None
    task: str
    classes: list[str]
    properties: list[str]
    columns: list[str]
    rows: int
    """How many the run has a code of; from ``labelable_rows`` on: the official test part."""
    labelable_rows: int
    classifier: str | None
    """Its mode; null: there is none."""
    refitted: bool
    """Whether the classifier is one that was refitted here."""
    limits: Limits


class Rows(BaseModel):
    """Rows in the data's own units, nested as rows are; a sequence ends where it ended."""

    rows: list[Any]


class Codes(BaseModel):
    """Codes, one list a row."""

    codes: list[list[float]]


class Answers(BaseModel):
    """What labels say of each row: ``labels`` and ``probabilities``, or ``numbers``."""

    classes: list[str]
    """Classes, or properties, in the order of ``probabilities``."""
    labels: list[str] | None
    """The most probable class of each row, where labels are classes."""
    probabilities: list[list[float]] | None
    numbers: list[float] | None


class Strange(BaseModel):
    """How strange rows are, in powers of ten: of 2, one usual row in 100 is."""

    scores: list[float]
    anomalies: list[bool]
    """Whether each score is above the threshold."""
    threshold: float
    parts: dict[str, list[float]]
    """What each single score says."""


class Row(BaseModel):
    """A row of the run's data."""

    row: int
    values: list[Any]
    name: str | None
    part: str
    label: str | None
    """What was given here, or else what the data says."""


class Neighbour(BaseModel):
    """A row, and how far its code is in standard deviations of the codes."""

    row: int
    distance: float


class Neighbours(BaseModel):
    """The nearest first."""

    row: int
    neighbours: list[Neighbour]


class Labels(BaseModel):
    """All labels there are."""

    labels: dict[int, str]
    file: str
    """In the run folder, as ``cuello fit --labels`` reads it."""


class Refit(BaseModel):
    """A classifier on the labels there are."""

    method: str
    labels: int
    classes: list[str]
    accuracy: float | None
    """By labels held out in folds; null where there were too few."""
    low: float | None
    """95 % confidence."""
    high: float | None
    temperature: float
    said: list[str]
    probabilities: list[list[float]]
    """Of every row, in the order of the run's codes; to four digits."""


class RefitWish(_Strict):
    """How to refit."""

    method: Literal[_REFITTED] = "linear_probe"  # type: ignore[valid-type]


class History(BaseModel):
    """Losses of every epoch so far, from ``since`` on."""

    status: str
    epochs: list[dict[str, Any]]


def rows_in(run: Run) -> type[BaseModel]:
    """Return the type of a request that holds rows of this run."""
    scaling, shape = run.autoencoder.scaling_, run.autoencoder.shape_
    reach = np.abs(scaling.offset) + np.asarray(scaling.width) * max(
        abs(scaling.low), abs(scaling.high), 1.0
    )
    row: Any = _number(float(np.max(reach)))
    for axis, size in reversed(list(enumerate(shape))):
        least = 1 if axis == 0 and NETWORKS[run.autoencoder.network].is_sequence else size
        row = conlist(row, min_length=least, max_length=size)
    return _many("RowsIn", "rows", row)


def codes_in(run: Run) -> type[BaseModel]:
    """Return the type of a request that holds codes of this run."""
    model = run.autoencoder
    number = _number(float((np.abs(model.embedding_mean_) + model.embedding_scale_).max()))
    latents = model.latent_dim_
    return _many("CodesIn", "codes", conlist(number, min_length=latents, max_length=latents))


def labels_in(rows: int, classes: tuple[str, ...]) -> type[BaseModel]:
    """Return the type of a request that labels rows.

    Parameters
    ----------
    rows : int
        How many can be labelled.
    classes : tuple of str
        All that a label may be; empty: anything that can be printed.
    """
    label: Any = Literal[classes] if classes else constr(pattern=_PRINTED, max_length=100)
    one: Any = create_model(
        "LabelIn",
        __base__=_Strict,
        row=(Annotated[int, Field(ge=0, lt=rows), BeforeValidator(_whole)], ...),
        label=(label | None, Field(description="null: none any more")),
    )
    several = conlist(one, min_length=1, max_length=MAX_LABELS)
    return create_model("LabelsIn", __base__=_Strict, labels=(several, ...))


def _many(name: str, field: str, item: Any) -> type[BaseModel]:
    items = conlist(item, min_length=1, max_length=MAX_ROWS)
    fields: dict[str, Any] = {field: (items, ...)}
    return create_model(name, __base__=_Strict, **fields)


def _whole(value: Any) -> Any:
    """Take 3.0 for 3, which JSON does not tell apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(reach: float) -> Any:
    # A power of ten: a bound like 254999999.99 would say nothing to a reader.
    bound = 10.0 ** math.ceil(math.log10(max(reach * _BEYOND, 1.0)))
    return confloat(strict=True, ge=-bound, le=bound, allow_inf_nan=False)
