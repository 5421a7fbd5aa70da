"""A run while it is served: embeddings, data read on demand, labels, and the current classifier."""

from __future__ import annotations

import threading
import warnings

import numpy as np
from fastapi import HTTPException
from sklearn.frozen import FrozenEstimator

from cuello.arrays import Array
from cuello.data import Dataset
from cuello.data.sequences import sequence_lengths
from cuello.errors import CuelloError
from cuello.few_label import METHODS, FewLabelClassifier, FewLabelRegressor
from cuello.run import Run
from cuello.server.labels import LABELS_FILE, LabelFile
from cuello.server.schemas import NearestSample, Predictions, Refit
from cuello.web.records import probability_columns

__all__ = ["Session", "refuse_infinite"]

_FOLDS = 3


Predictor = tuple[FewLabelClassifier | FewLabelRegressor | None, tuple[str, ...], bool]
"""The current model, its classes or properties (none for numbers), and whether it was refitted."""


class Session:
    """State that the requests share; missing or damaged embeddings are a RunError."""

    def __init__(self, run: Run) -> None:
        self.run = run
        _check_networks(run)
        table, self.embeddings = run.stored_embeddings()
        self.size = len(self.embeddings)
        columns = {name: table[name].to_pylist() for name in table.column_names if name[:1] != "z"}
        starts = [i for i, row in enumerate(columns.get("row", ())) if row == 0]
        self.labelable = starts[1] if len(starts) > 1 else self.size
        self.names: list[str] | None = columns.get("name")
        self.splits: list[str] = columns.get("split", ["train"] * self.size)
        self.data_labels: list[str | None] = [
            None if value is None else str(value)
            for value in columns.get("label", [None] * self.size)
        ]
        learned = columns.get("labelled", [False] * self.size)
        asked = run.config["job"].get("labels")
        from_file = asked is not None and asked != "all" and not asked.isdecimal()
        names = None if self.names is None else tuple(n or "" for n in self.names[: self.labelable])
        self.labels = LabelFile(
            path=run.folder.path / LABELS_FILE,
            names=names,
            samples=self.labelable,
            # Classes that only a file of labels named leave room for others.
            classes=() if from_file or run.task != "multiclass" else run.classes,
            learned={
                i: label
                for i, label in enumerate(self.data_labels[: self.labelable])
                if learned[i] and label is not None and run.task == "multiclass"
            },
        )
        self.labels.read()  # a damaged file is refused now
        self.predictor: Predictor = (run.classifier, tuple(probability_columns(run)), False)
        self._refitting = threading.Lock()
        self._reading = threading.Lock()
        self._data: Dataset | None = None
        self._scaled = self.embeddings / run.autoencoder.embedding_scale_

    def data(self) -> Dataset:
        """Return the run's data, read at the first call; 409 if that fails, or it was changed."""
        with self._reading:
            if self._data is None:
                try:
                    self._data = self.run.training_data()
                except CuelloError as error:
                    raise HTTPException(409, str(error)) from error
            return self._data

    def predict(self, samples: Array) -> Predictions:
        """Return numbers, or probabilities and (for classes) the most probable label."""
        model, classes, _ = self.predictor  # read once: a refit may replace it at any moment
        if model is None:
            raise HTTPException(
                409,
                "this run holds no classifier: it was trained without labels; label samples of "
                "two classes or more (POST /api/labels), then POST /api/refit.",
            )
        if isinstance(model, FewLabelRegressor):
            return Predictions(numbers=refuse_infinite(model.predict(samples)).tolist())
        values = refuse_infinite(model.predict_proba(samples))
        single_label = self.run.task == "multiclass"
        return Predictions(
            classes=list(classes),
            labels=[classes[k] for k in values.argmax(axis=1)] if single_label else None,
            probabilities=values.tolist(),
        )

    def values(self, row: int) -> Array:
        """Return a sample of the run's data; a sequence without its padding."""
        data = self.data()
        X = data.X
        if row >= self.labelable:
            assert data.X_test is not None  # training_data compared the numbers of samples
            X, row = data.X_test, row - self.labelable
        return self.trimmed(X[row][None])[0]

    def trimmed(self, samples: Array) -> list[Array]:
        """Return each sample by itself, a sequence without its padding."""
        if not self.run.is_of_sequences:
            return list(samples)
        lengths = sequence_lengths(samples)
        return [row[:length] for row, length in zip(samples, lengths, strict=True)]

    def neighbours(self, row: int, k: int) -> list[NearestSample]:
        """Return the k other samples with the nearest embeddings."""
        distance = np.linalg.norm(self._scaled - self._scaled[row], axis=1)
        distance[row] = np.inf
        nearest = np.argsort(distance, kind="stable")[: min(k, self.size - 1)]
        return [NearestSample(row=int(i), distance=float(distance[i])) for i in nearest]

    def refit(self, method: str) -> Refit:
        """Fit a classifier to all labels, and use it from now on; one at a time."""
        if self.run.task != "multiclass":
            raise HTTPException(409, f"labels of task {self.run.task!r} cannot be refitted here.")
        if not self._refitting.acquire(blocking=False):
            raise HTTPException(409, "a classifier is being fitted; try again when it is done.")
        try:
            return self._refit(method)
        finally:
            self._refitting.release()

    def _refit(self, method: str) -> Refit:
        data = self.data()
        try:
            y, classes = self.labels.codes()
            if len(np.unique(y[y >= 0])) < 2:
                raise HTTPException(
                    409, "label samples of two classes or more first (POST /api/labels)."
                )
            rows = np.flatnonzero(y >= 0)
            if METHODS[method].uses_unlabelled:
                train = np.array([split == "train" for split in self.splits[: self.labelable]])
                rows = np.flatnonzero(train | (y >= 0))
            model = FewLabelClassifier(
                FrozenEstimator(self.run.autoencoder), method=method, cv=_FOLDS, task="multiclass"
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the warnings are in summary_, too
                model.fit(data.X[rows], y[rows])
            probabilities = model.predict_proba(data.X)
            if data.X_test is not None:
                probabilities = np.concatenate([probabilities, model.predict_proba(data.X_test)])
        except (CuelloError, ValueError) as error:
            raise HTTPException(409, f"the labels cannot be learned from: {error}") from error
        columns = tuple(classes[int(k)] for k in model.classes_)
        self.predictor = (model, columns, True)
        estimate = model.accuracy_estimate_
        return Refit(
            method=model.method_,
            labels=int((y >= 0).sum()),
            classes=list(columns),
            accuracy=None if estimate is None else estimate.estimate,
            low=None if estimate is None else estimate.low,
            high=None if estimate is None else estimate.high,
            temperature=model.temperature_,
            summary=list(model.summary_),
            probabilities=np.round(refuse_infinite(probabilities), 4).tolist(),
        )


def _check_networks(run: Run) -> None:
    """Send one sample through every network: files may fit one another, and still not work."""
    model, predictor, projector = run.autoencoder, run.classifier, run.projection
    try:
        with np.errstate(all="ignore"):
            samples = model.inverse_transform(model.embedding_mean_[None])
            values = [
                samples,
                model.transform(samples),
                model.embedding_mean_ / model.embedding_scale_,
            ]
            if predictor is not None:
                values.append(predictor.predict(samples))
            if projector is not None:
                coordinates = projector.transform(model.embedding_mean_[None])
                values += [coordinates, projector.inverse_transform(coordinates)]
        works = all(np.isfinite(np.asarray(one, dtype=np.float64)).all() for one in values)
        reason = "" if works else "a sample becomes NaN or infinite"
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
    if reason:
        raise run.folder.damaged("config.json", reason)


def refuse_infinite(values: Array) -> Array:
    """Return values, of a sample each; refuse NaN and infinity (422), which JSON cannot hold."""
    bad = ~np.isfinite(values)
    if bad.any():
        raise HTTPException(
            422, f"sample {int(np.argwhere(bad)[0][0])} leads to values that are not finite."
        )
    return values
