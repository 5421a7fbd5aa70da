"""A run while it is served: embeddings, data read on demand, labels, and the current classifier."""

from __future__ import annotations

import threading
import warnings
from functools import cached_property
from typing import NamedTuple

import numpy as np
from sklearn.frozen import FrozenEstimator

from cuello.anomalies.fitted import COMBINED
from cuello.arrays import Array
from cuello.data import Dataset
from cuello.data.sequences import sequence_lengths
from cuello.errors import CuelloError, RunError
from cuello.few_label import METHODS, FewLabelClassifier, FewLabelRegressor
from cuello.networks import NETWORKS
from cuello.run import Run
from cuello.server.labels import LABELS_FILE, LabelFile
from cuello.server.problems import Refused
from cuello.server.schemas import AnomalyScores, Refit

__all__ = ["Session"]

_FOLDS = 3


class Predictor(NamedTuple):
    """The current classifier or regressor."""

    model: FewLabelClassifier | FewLabelRegressor | None
    classes: tuple[str, ...]
    """Classes or properties, one a column; none for numbers."""
    refitted: bool = False
    """Whether it was fitted here."""


class Session:
    """What the requests share.

    Parameters
    ----------
    run : Run
        An opened run folder.

    Raises
    ------
    RunError
        If the embeddings that the folder keeps are missing, damaged or of another model.
    """

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
        self.given: list[str | None] = [
            None if value is None else str(value)
            for value in columns.get("label", [None] * self.size)
        ]
        learned = columns.get("labelled", [False] * self.size)
        names = None if self.names is None else tuple(n or "" for n in self.names[: self.labelable])
        self.labels = LabelFile(
            path=run.folder.path / LABELS_FILE,
            names=names,
            rows=self.labelable,
            classes=self._fixed_classes(),
            learned={
                i: label
                for i, label in enumerate(self.given[: self.labelable])
                if learned[i] and label is not None and run.task == "multiclass"
            },
        )
        self.labels.read()  # a damaged file is refused now
        self.predictor = Predictor(run.classifier, self._classes_of_run())
        self._refitting = threading.Lock()
        self._reading = threading.Lock()
        self._scaled = self.embeddings / run.autoencoder.embedding_scale_

    def data(self) -> Dataset:
        """Return the run's data, read at the first call.

        Raises
        ------
        Refused
            If it cannot be read, or is not what it was.
        """
        with self._reading:
            return self._data

    def encode(self, rows: Array) -> Array:
        """Return embeddings."""
        return _finite(self.run.autoencoder.transform(rows))

    def decode(self, codes: Array) -> Array:
        """Return samples; sequences at their full length."""
        return _finite(self.run.autoencoder.inverse_transform(codes))

    def reconstruct(self, rows: Array) -> Array:
        """Return samples after encoding and decoding."""
        back = self.run.autoencoder.reconstruct(rows)
        return _finite(back, where=~np.isnan(rows) if self.sequences else None)

    def predict(self, rows: Array) -> tuple[Array, tuple[str, ...]]:
        """Return numbers (n,), or probabilities (n, classes) and the name of each column.

        Raises
        ------
        Refused
            If there is no classifier.
        """
        model, classes, _ = self.predictor  # read once: a refit may replace it at any moment
        if model is None:
            raise Refused(
                409,
                "this run holds no classifier: it was trained without labels; label samples of "
                "two classes or more (POST /api/labels), then POST /api/refit.",
            )
        if isinstance(model, FewLabelRegressor):
            return _finite(model.predict(rows)), ()
        return _finite(model.predict_proba(rows)), classes

    def anomaly_scores(self, rows: Array) -> AnomalyScores:
        """Return anomaly scores, combined and single.

        Raises
        ------
        Refused
            If the run holds no detector.
        """
        detector = self.run.detector
        if detector is None:
            raise Refused(409, "this run holds no anomaly detector: no sample was held out.")
        single = {name: _finite(values) for name, values in detector.single_scores(rows).items()}
        scores = single.pop(COMBINED)
        return AnomalyScores(
            scores=scores.tolist(),
            anomalies=(scores > detector.threshold_).tolist(),
            threshold=detector.threshold_,
            single_scores={name: values.tolist() for name, values in single.items()},
        )

    def values(self, row: int) -> Array:
        """Return a sample of the run's data; a sequence without its padding."""
        data = self.data()
        values = (
            data.X[row] if row < self.labelable else self._test_rows(data)[row - self.labelable]
        )
        return self.trimmed(values[None])[0]

    def neighbours(self, row: int, k: int) -> list[tuple[int, float]]:
        """Return the k other samples with the nearest embeddings, and their distances."""
        distance = np.linalg.norm(self._scaled - self._scaled[row], axis=1)
        distance[row] = np.inf
        nearest = np.argsort(distance, kind="stable")[: min(k, self.size - 1)]
        return [(int(i), float(distance[i])) for i in nearest]

    def refit(self, method: str) -> Refit:
        """Fit a classifier to all labels, and use it from now on.

        Raises
        ------
        Refused
            If another one is being fitted, labels are too few, or the data cannot be read.
        """
        if self.run.task != "multiclass":
            raise Refused(409, f"labels of task {self.run.task!r} cannot be refitted here.")
        if not self._refitting.acquire(blocking=False):
            raise Refused(409, "a classifier is being fitted; try again when it is done.")
        try:
            return self._refit(method)
        finally:
            self._refitting.release()

    def label(self, row: int) -> str | None:
        """Return the label of a sample: given here, or else by the data."""
        return self.labels.read().get(row, self.given[row])

    @property
    def sequences(self) -> bool:
        """Whether samples are sequences."""
        return NETWORKS[self.run.autoencoder.network].is_sequence

    def trimmed(self, rows: Array) -> list[Array]:
        """Return each sample by itself, a sequence without its padding."""
        if not self.sequences:
            return list(rows)
        lengths = sequence_lengths(rows)
        return [row[:length] for row, length in zip(rows, lengths, strict=True)]

    @cached_property
    def _data(self) -> Dataset:
        try:
            return self.run.training_data()
        except CuelloError as error:
            raise Refused(409, str(error)) from error

    def _test_rows(self, data: Dataset) -> Array:
        assert data.X_test is not None  # as many codes as rows: training_data has compared them
        return data.X_test

    def _fixed_classes(self) -> tuple[str, ...]:
        """Return the allowed labels: the classes of the data, if it has some."""
        job = self.run.config.get("job")
        labels = job.get("labels") if isinstance(job, dict) else None
        from_file = isinstance(labels, str) and labels != "all" and not labels.isdecimal()
        return () if from_file or self.run.task != "multiclass" else self.run.classes

    def _classes_of_run(self) -> tuple[str, ...]:
        model = self.run.classifier
        if self.run.task == "multilabel":
            return self.run.properties
        if not isinstance(model, FewLabelClassifier):
            return ()
        return tuple(self.run.classes[int(k)] for k in model.classes_)

    def _refit(self, method: str) -> Refit:
        data = self.data()
        try:
            y, classes = self.labels.codes()
            if len(np.unique(y[y >= 0])) < 2:
                raise Refused(409, "label rows of two classes or more first (POST /api/labels).")
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
            raise Refused(409, f"the labels cannot be learned from: {error}") from error
        columns = tuple(classes[int(k)] for k in model.classes_)
        self.predictor = Predictor(model, columns, refitted=True)
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
            probabilities=np.round(_finite(probabilities), 4).tolist(),
        )


def _check_networks(run: Run) -> None:
    """Send one sample through every network: files may fit one another, and still not work."""
    model, predictor, projector = run.autoencoder, run.classifier, run.projection
    try:
        with np.errstate(all="ignore"):
            rows = model.inverse_transform(model.embedding_mean_[None])
            values = [rows, model.transform(rows), model.embedding_mean_ / model.embedding_scale_]
            if predictor is not None:
                values.append(predictor.predict(rows))
            if projector is not None:
                coordinates = projector.transform(model.embedding_mean_[None])
                values += [coordinates, projector.inverse_transform(coordinates)]
        works = all(np.isfinite(np.asarray(one, dtype=np.float64)).all() for one in values)
        reason = "" if works else "a sample becomes NaN or infinite"
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
    if reason:
        raise RunError(
            f"{run.folder.path}/config.json is damaged ({reason}); restore the folder or run the "
            "fit again."
        )


def _finite(values: Array, where: Array | None = None) -> Array:
    """Refuse NaN and infinity, which JSON cannot hold."""
    bad = ~np.isfinite(values) if where is None else where & ~np.isfinite(values)
    if bad.any():
        raise Refused(
            422, f"sample {int(np.argwhere(bad)[0][0])} leads to values that are not finite."
        )
    return values
