"""Requests and responses of one run: shapes, ranges and names are part of the types.

So a request that does not fit is refused with the place of the mistake, before any work.
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
from cuello.run import Run

__all__ = [
    "MAX_LABELS",
    "MAX_NEIGHBOURS",
    "MAX_SAMPLES",
    "AllLabels",
    "AnomalyScores",
    "Embeddings",
    "Limits",
    "Losses",
    "NearestSample",
    "NearestSamples",
    "Predictions",
    "Refit",
    "RefitRequest",
    "RunInfo",
    "Sample",
    "Samples",
    "TrainingProgress",
    "embeddings_in",
    "labels_in",
    "samples_in",
]

MAX_SAMPLES = 1000
"""Most in one request."""
MAX_NEIGHBOURS = 100
MAX_LABELS = 10_000
"""Most in one request."""
_MARGIN = 1e6  # a value may be so many ranges away from the training samples
_PRINTED = r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$"
"""Text without control characters, that neither begins nor ends with a space."""
REFIT_METHODS = tuple(name for name, method in METHODS.items() if method.refittable)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Limits(BaseModel):
    """Largest numbers in a request."""

    samples: int = MAX_SAMPLES
    neighbours: int = MAX_NEIGHBOURS
    labels: int = MAX_LABELS


class RunInfo(BaseModel):
    """The run that is served."""

    name: str
    status: str
    """``finished``, or ``running``: then only this and the history are answered."""
    kind: str
    network: str
    shape: list[int]
    """Of a sample; the first number of a sequence's is its greatest length."""
    latent_dim: int | None = None
    task: str
    classes: list[str]
    properties: list[str]
    columns: list[str] = []
    samples: int = 0
    """Number of embeddings; from ``labelable`` on: the official test split."""
    labelable: int = 0
    classifier: str | None = None
    """Its training method; null: there is none."""
    refitted: bool = False
    """Whether the classifier was refitted here."""
    limits: Limits = Limits()


class Samples(BaseModel):
    """Samples in the units of the data, nested by their shape; a sequence without padding."""

    samples: list[Any]


class Embeddings(BaseModel):
    """Embeddings, one list a sample."""

    embeddings: list[list[float]]


class Predictions(BaseModel):
    """Predictions for each sample: ``labels`` and ``probabilities``, or ``numbers``."""

    classes: list[str] = []
    """Classes, or properties, in the order of ``probabilities``."""
    labels: list[str] | None = None
    """The most probable class of each sample, where labels are classes."""
    probabilities: list[list[float]] | None = None
    numbers: list[float] | None = None


class AnomalyScores(BaseModel):
    """Anomaly scores, in powers of ten: one normal sample in 100 has 2 or more."""

    scores: list[float]
    anomalies: list[bool]
    """Whether each score is above the threshold."""
    threshold: float
    single_scores: dict[str, list[float]]
    """Each single score."""


class Sample(BaseModel):
    """A sample of the run's data."""

    row: int
    values: list[Any]
    name: str | None
    split: str
    label: str | None
    """Set here, or else that of the data."""


class NearestSample(BaseModel):
    """A sample, and the distance of its embedding in standard deviations of the embeddings."""

    row: int
    distance: float


class NearestSamples(BaseModel):
    """The nearest first."""

    row: int
    neighbours: list[NearestSample]


class AllLabels(BaseModel):
    """All labels."""

    labels: dict[int, str]
    file: str
    """In the run folder, as ``cuello fit --labels`` reads it."""


class Refit(BaseModel):
    """A classifier fitted to all labels."""

    method: str
    labels: int
    classes: list[str]
    accuracy: float | None
    """By labels held out in folds; null where there were too few."""
    low: float | None
    """95 % confidence."""
    high: float | None
    temperature: float
    summary: list[str]
    probabilities: list[list[float]]
    """Of every sample, in the order of the run's embeddings; to four digits."""


class RefitRequest(_Strict):
    """The training method of a refit."""

    method: Literal[REFIT_METHODS] = "linear_probe"  # type: ignore[valid-type]


class Losses(BaseModel):
    """Losses of every epoch so far, from ``since`` on."""

    status: str
    epochs: list[dict[str, Any]]


class TrainingProgress(BaseModel):
    """What a training is at, and samples reconstructed so far; empty before it says."""

    stage: str = ""
    """``autoencoder``, ``few labels``, or ``method`` and its name."""
    detail: str = ""
    """The losses of the last epoch, or the method that is fitted."""
    done: int = 0
    total: int = 0
    """Steps of the stage."""
    seconds_left: float | None = None
    """Of the stage, at its pace so far."""
    previewed: int | None = None
    """Epoch (from 0) of the reconstructions."""
    original: list[str] | list[list[float | None]] = []
    """Images as data URIs, rows of a table as numbers."""
    reconstruction: list[str] | list[list[float | None]] = []


def samples_in(run: Run) -> type[BaseModel]:
    """Return the type of a request that holds samples of this run."""
    scaling, shape = run.autoencoder.scaling_, run.autoencoder.shape_
    largest = np.abs(scaling.offset) + np.asarray(scaling.width) * max(
        abs(scaling.low), abs(scaling.high), 1.0
    )
    row: Any = _numeric(float(np.max(largest)))
    for axis, size in reversed(list(enumerate(shape))):
        least = 1 if axis == 0 and run.is_of_sequences else size
        row = conlist(row, min_length=least, max_length=size)
    return _list_of("SamplesIn", "samples", row)


def embeddings_in(run: Run) -> type[BaseModel]:
    """Return the type of a request that holds embeddings of this run."""
    model = run.autoencoder
    number = _numeric(float((np.abs(model.embedding_mean_) + model.embedding_scale_).max()))
    row = conlist(number, min_length=model.latent_dim_, max_length=model.latent_dim_)
    return _list_of("EmbeddingsIn", "embeddings", row)


def labels_in(samples: int, classes: tuple[str, ...]) -> type[BaseModel]:
    """Return the type of a request that labels so many samples; without classes with any text."""
    label: Any = Literal[classes] if classes else constr(pattern=_PRINTED, max_length=100)
    one: Any = create_model(
        "LabelIn",
        __base__=_Strict,
        row=(Annotated[int, Field(ge=0, lt=samples), BeforeValidator(_integer)], ...),
        label=(label | None, Field(description="null: remove the label")),
    )
    labels = conlist(one, min_length=1, max_length=MAX_LABELS)
    return create_model("LabelsIn", __base__=_Strict, labels=(labels, ...))


def _list_of(name: str, field: str, item: Any) -> type[BaseModel]:
    items = conlist(item, min_length=1, max_length=MAX_SAMPLES)
    fields: dict[str, Any] = {field: (items, ...)}
    return create_model(name, __base__=_Strict, **fields)


def _integer(value: Any) -> Any:
    """Return 3 for 3.0, which JSON does not tell apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _numeric(largest: float) -> Any:
    # A power of ten is easier to read than a bound like 254999999.99.
    bound = 10.0 ** math.ceil(math.log10(max(largest * _MARGIN, 1.0)))
    return confloat(strict=True, ge=-bound, le=bound, allow_inf_nan=False)
