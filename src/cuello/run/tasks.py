"""What the main job measures and keeps for classes, several properties, and numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, final

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score, multilabel_confusion_matrix

from cuello.arrays import Array, Record
from cuello.data import Dataset
from cuello.few_label import METHODS, FewLabelClassifier, FewLabelRegressor, Regression
from cuello.run.baselines import BASELINES

__all__ = ["COMPARED_BY_DEFAULT", "JobTask", "job_task"]

COMPARED_BY_DEFAULT = tuple(name for name, m in METHODS.items() if m.compared_by_default)
"""Few-label methods that are compared unless others are asked for: all are quick."""
SHOWN = 300
"""Rows of each draw whose numbers are kept to be drawn beside the true ones."""


class JobTask(ABC):
    """What labels say, and what follows for baselines, scores and figures.

    Records of a method have ``main`` and ``second`` as keys, and ``cv_`` and ``main`` for the
    cross-validated score.
    """

    name: ClassVar[str]
    main: ClassVar[str] = "accuracy"
    second: ClassVar[str] = "macro_f1"
    estimator: ClassVar[type[FewLabelClassifier] | type[FewLabelRegressor]] = FewLabelClassifier
    single_label: ClassVar[bool] = False
    """Whether a row has one class, which some methods pass on from row to row."""

    @property
    def methods(self) -> tuple[str, ...]:
        """What is compared by default."""
        baselines = [name for name, entry in BASELINES.items() if self.name in entry.tasks]
        return (*baselines, *COMPARED_BY_DEFAULT)

    @abstractmethod
    def score(self, y: Array, predicted: Array, data: Dataset) -> Record:
        """Return how good predictions are, and what figures need of them."""

    @abstractmethod
    def figures(self, method: str, records: list[Record], data: Dataset) -> Record:
        """Return what the report shows of the records of one method."""


@final
class _Multiclass(JobTask):
    """One class a row."""

    name = "multiclass"
    single_label = True

    def score(self, y: Array, predicted: Array, data: Dataset) -> Record:
        every = list(range(len(data.classes)))
        f1 = f1_score(y, predicted, labels=every, average="macro", zero_division=0.0)
        return {
            "accuracy": float((y == predicted).mean()),
            "macro_f1": float(f1),
            "confusion": confusion_matrix(y, predicted, labels=every).tolist(),
        }

    def figures(self, method: str, records: list[Record], data: Dataset) -> Record:
        matrix = np.sum([r["confusion"] for r in records], axis=0).tolist()
        return {"confusion": {"method": method, "matrix": matrix, "classes": list(data.classes)}}


@final
class _Multilabel(JobTask):
    """Properties, 0 or 1 each. Accuracy is the mean over them, and so is F1."""

    name = "multilabel"

    def score(self, y: Array, predicted: Array, data: Dataset) -> Record:
        y = y.astype(np.int64)
        return {
            "accuracy": float((y == predicted).mean()),
            "macro_f1": float(f1_score(y, predicted, average="macro", zero_division=0.0)),
            "counts": multilabel_confusion_matrix(y, predicted).tolist(),
        }

    def figures(self, method: str, records: list[Record], data: Dataset) -> Record:
        counts = np.sum([r["counts"] for r in records], axis=0).tolist()
        return {"properties": {"method": method, "names": list(data.properties), "counts": counts}}


@final
class _Regression(JobTask):
    """A number: R², and the mean absolute error in its own units."""

    name = "regression"
    main = "r2"
    second = "mae"
    estimator = FewLabelRegressor

    def score(self, y: Array, predicted: Array, data: Dataset) -> Record:
        shown = np.unique(np.linspace(0, len(y) - 1, SHOWN).astype(np.int64))
        return {
            "r2": Regression().score(predicted[:, None], y),
            "mae": float(np.abs(y - predicted).mean()),
            "true": y[shown].tolist(),
            "predicted": predicted[shown].tolist(),
        }

    def figures(self, method: str, records: list[Record], data: Dataset) -> Record:
        pairs = {key: [v for r in records for v in r[key]] for key in ("true", "predicted")}
        name = data.encoding.get("label_column") or "number"
        return {"scatter": {"method": method, "name": name, **pairs}}


_JOB_TASKS: dict[str, JobTask] = {
    task.name: task for task in (_Multiclass(), _Multilabel(), _Regression())
}


def job_task(data: Dataset) -> JobTask:
    """Return what the labels of a data set are learned by.

    Examples
    --------
    >>> prices = Dataset(X=np.zeros((2, 3)), y=np.array([2.5, 9.0]), name="demo", source="here")
    >>> job_task(prices).methods
    ('pca_ridge', 'knn_pixels', 'from_scratch', 'linear_probe', 'fine_tune_slow', 'fine_tune')
    """
    return _JOB_TASKS[data.task]
