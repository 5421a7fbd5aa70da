"""What a finished run can do with further data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.anomalies import AnomalyDetector
from cuello.data import Dataset, load
from cuello.data.cells import number, with_holes, without_fill
from cuello.data.sequences import pad
from cuello.errors import InputError, RunError
from cuello.estimators import Autoencoder
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.metrics import ABSTAINED, decide, sample_errors
from cuello.networks import NETWORKS
from cuello.run.abstention import (
    Classified,
    check_sure,
    refuse_sure,
    say_sure,
    sure_from,
    typical_error,
)
from cuello.run.anomalies import Found, find, reasons
from cuello.run.folder import RunFolder
from cuello.run.prepare import explain_empty_text
from cuello.run.results import write_embeddings
from cuello.run.rows import all_rows, write_csv, write_rows
from cuello.run.suggest import Suggestion, suggestions

__all__ = ["Run", "open_run"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Run:
    """A run folder and its models.

    Parameters
    ----------
    folder : RunFolder
        Where it is.
    config : dict
        Contents of ``config.json``.
    autoencoder : Autoencoder
        The trained autoencoder.
    classifier : FewLabelClassifier, FewLabelRegressor or None
        The best of the encoder's modes, if the run had labels: a regressor where they are numbers.
        Its classes are codes into ``multiclass``, or columns of ``properties``.
    detector : AnomalyDetector or None
        None in folders of before there was one, and where no row was held out.
    projector : Autoencoder or None
        Places codes of more than 2 latents in the plane; None where they are fewer, where training
        rows were, and in folders of before there was one.
    """

    folder: RunFolder
    config: dict[str, Any]
    autoencoder: Autoencoder
    classifier: FewLabelClassifier | FewLabelRegressor | None
    detector: AnomalyDetector | None = None
    projector: Autoencoder | None = None

    @property
    def task(self) -> str:
        """What labels say: ``multiclass``, ``multilabel`` or ``regression``."""
        return str(self.config["data"].get("task", "multiclass"))

    @property
    def properties(self) -> tuple[str, ...]:
        """Names of the properties, where labels say several."""
        return tuple(self.config["data"].get("properties", ()))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.config["data"]["classes"])

    @property
    def is_of_sequences(self) -> bool:
        """Whether a row is a sequence, not an image or a table's."""
        return NETWORKS[self.autoencoder.network].is_sequence

    def load(self, spec: str | Path, *, skip_bad: bool = False, holes: bool = False) -> Dataset:
        """Read further data the way the run's own data was read.

        With ``holes``, what is missing stays NaN instead of being refused, or filled with the
        median of its column.

        Raises
        ------
        DataError
            If it cannot be read.
        InputError
            If its rows have another shape, or pixels another range.
        """
        encoding = self.config["data"].get("encoding") or None
        task = "multiclass" if self.task == "multiclass" else None  # no other labels are asked for
        if holes and encoding is not None:
            encoding = without_fill(encoding)
        data = load(spec, encoding=encoding, task=task, skip_bad=skip_bad, holes=holes)
        data = explain_empty_text(data)
        data = with_holes(data) if holes else data.filled()
        expected = self.autoencoder.shape_
        sequences = self.is_of_sequences
        if sequences:
            test = None if data.X_test is None else pad(data.X_test, expected[0])
            data = replace(data, X=pad(data.X, expected[0]), X_test=test)
        if data.shape != expected:
            raise InputError(
                f"{spec}: rows have shape {data.shape}; {self.folder.path} was trained on rows of "
                f"shape {expected}. Give data of that shape."
            )
        if data.is_image and not sequences:
            _check_range(data, self.autoencoder)
        return data

    def embed(self, data: Dataset, out: Path) -> int:
        """Write the code of every row to Parquet; return how many rows."""
        return write_embeddings(out, data, self.autoencoder)

    def reconstruct(self, data: Dataset, out: Path) -> int:
        """Write reconstructions (``X``) and each row's mean squared error to ``.npz``.

        Both are in the data's own units, in the order of ``data.X`` and then ``data.X_test``.
        """
        rows = all_rows(data)
        back = self.autoencoder.reconstruct(rows)
        folder = RunFolder(out.parent)
        folder.write_arrays(out.name, {"X": back, "error": sample_errors(rows, back)})
        return len(rows)

    def classify(self, data: Dataset, out: Path, *, sure: float | None = None) -> Classified:
        """Write what the run's labels say of every row to CSV.

        Columns: ``row``, ``name`` (where rows have one), and for classes ``class``,
        ``probability`` and ``sure``; for numbers ``value``; for several properties the probability
        of each, under its name.

        Parameters
        ----------
        data : Dataset
            Rows of ``X``, then of ``X_test``.
        out : Path
            The file to write.
        sure : float or None
            How often, in (0, 1), a class is to be right where ``sure`` is ``yes``; elsewhere it is
            ``not sure``. None is 0.95. The least probability that is sure follows from labels that
            the classifier did not learn from; without any it is this number itself.

        Raises
        ------
        InputError
            If ``sure`` is outside its range, or given where labels are no classes.
        RunError
            If the run had no labels.
        """
        model, rows = self.classifier_or_refuse(), all_rows(data)
        if self.task == "multiclass":
            assert isinstance(model, FewLabelClassifier)
            head, cells, found = self._classes(model, rows, 0.95 if sure is None else sure)
        else:
            refuse_sure(sure, self.task)
            error = typical_error(model)
            found = Classified(len(rows), None, "" if error is None else str(error))
            if isinstance(model, FewLabelClassifier):
                head = list(self.properties)
                cells = [[f"{p:.4f}" for p in row] for row in model.predict_proba(rows)]
            else:
                head, cells = ["value"], [[number(value)] for value in model.predict(rows)]
        write_rows(out, data, head, cells)
        return found

    def _classes(
        self, classifier: FewLabelClassifier, rows: Array, sure: float
    ) -> tuple[list[str], list[list[str]], Classified]:
        check_sure(sure)
        probabilities = classifier.predict_proba(rows)
        threshold = sure_from(classifier, sure)
        decided, _ = decide(probabilities, sure if threshold is None else threshold.probability)
        best = probabilities.argmax(axis=1)
        cells = [
            [self._name(k), f"{p[k]:.4f}", _sure(d)]
            for k, p, d in zip(best, probabilities, decided, strict=True)
        ]
        not_sure = int((decided == ABSTAINED).sum())
        said = say_sure(threshold, sure, len(classifier.held_out_labels_))
        return ["class", "probability", "sure"], cells, Classified(len(rows), not_sure, said)

    def anomalies(
        self,
        data: Dataset,
        out: Path,
        *,
        method: str = "combined",
        false_positive_rate: float = 0.01,
        contamination: float | None = None,
    ) -> Found:
        """Write how strange every row is to CSV, the rows in their own order.

        Columns: ``row``, ``name`` (where rows have one), ``score`` (2: of usual rows one in 100 is
        as strange), ``anomaly`` (``yes`` or ``no``), each single score, and ``why``: the columns,
        or the places of an image, that add most to the reconstruction error.

        Parameters
        ----------
        data : Dataset
            Rows of ``X``, then of ``X_test``.
        out : Path
            The file to write.
        method : str
            ``combined``, or one of :data:`cuello.anomalies.SCORES`.
        false_positive_rate : float
            Share of usual rows, in (0, 1), that may be called anomalies.
        contamination : float or None
            Share of these rows that are anomalies, in (0, 0.5]: sets the threshold instead.

        Raises
        ------
        InputError
            If an option is outside its range.
        RunError
            If the run holds no detector.
        """
        if self.detector is None:
            raise RunError(
                f"{self.folder.path} holds no anomaly detector: no row was held out, or an earlier "
                "version made it; fit again, with --validation above 0."
            )
        rows = all_rows(data)
        found = find(self.detector, rows, method, false_positive_rate, contamination)
        why = reasons(self.detector, rows, data.columns)
        write_rows(out, data, ["score", "anomaly", *found.parts, "why"], found.cells(why))
        return found

    def suggest(self, data: Dataset, n: int, out: Path, *, seed: int = 0) -> int:
        """Write ``n`` rows to label next to CSV; return how many (fewer, if fewer have no label).

        Columns: ``row`` (of ``data.X``), ``name`` (where rows have one), ``class`` and
        ``probability`` as the classifier has them now, and ``why`` to label it.

        Raises
        ------
        InputError
            If ``n`` is below 1, or every row has a label.
        RunError
            If the run had no labels, or they are no classes.
        """
        classifier = self.classifier_or_refuse()
        if self.task != "multiclass" or not isinstance(classifier, FewLabelClassifier):
            raise RunError(
                f"{self.folder.path} learned labels of task {self.task!r}; which rows to label "
                "next is only known for classes: label rows at random."
            )
        found = suggestions(self.folder, self.autoencoder, classifier, data, n, seed)
        names = data.row_names
        head = ["row", *(["name"] if names else []), "class", "probability", "why"]
        lines = [
            [
                one.row,
                *([names[one.row]] if names else []),
                self._name(one.best),
                f"{one.probability:.4f}",
                self._why(one),
            ]
            for one in found
        ]
        write_csv(out, [head, *lines])
        return len(found)

    def classifier_or_refuse(self) -> FewLabelClassifier | FewLabelRegressor:
        """Return the classifier, or the regressor.

        Raises
        ------
        RunError
            If the run had no labels.
        """
        if self.classifier is None:
            raise RunError(
                f"{self.folder.path} holds no classifier: it was trained without labels; fit again "
                "with --labels."
            )
        return self.classifier

    def _name(self, column: int) -> str:
        assert isinstance(self.classifier, FewLabelClassifier)
        return self.classes[int(self.classifier.classes_[column])]

    def _why(self, one: Suggestion) -> str:
        reasons = []
        if one.uncertain:
            reasons.append(f"uncertain between {self._name(one.best)} and {self._name(one.second)}")
        if one.novel:
            reasons.append("unlike anything labelled")
        return ", ".join(reasons) or "stands for others like it"


def open_run(path: str | Path, *, trust_remote_code: bool = False) -> Run:
    """Open a finished run folder.

    Parameters
    ----------
    path : str or Path
        The folder.
    trust : bool
        Whether your own networks, which the folder only names, may be imported and run.

    Raises
    ------
    RunError
        If the folder is missing, not finished, damaged or not trusted.
    """
    folder = RunFolder(Path(path))
    config = folder.read_json("config.json")
    models = folder.load_models(trust_remote_code=trust_remote_code)
    data = config.get("data")
    if not _fits(data if isinstance(data, dict) else {}, models.classifier):
        raise RunError(
            f"{folder.path}/config.json is damaged: its data has other classes than the "
            "classifier; restore the folder or run the fit again."
        )
    return Run(folder, config, *models)


def _fits(data: dict[str, Any], model: FewLabelClassifier | FewLabelRegressor | None) -> bool:
    """Whether the data names what the model tells apart."""
    task, classes = data.get("task", "multiclass"), data.get("multiclass")
    if not isinstance(classes, list):
        return False
    if not isinstance(model, FewLabelClassifier):
        return model is None or task == "regression"
    if task == "multilabel":
        properties = data.get("properties")
        return isinstance(properties, list) and len(properties) == len(model.classes_)
    return task == "multiclass" and len(classes) > int(model.classes_.max())


def _check_range(data: Dataset, autoencoder: Autoencoder) -> None:
    """Refuse pixels in 0..1 for a model of 0..255, or the other way round: both look usable."""
    known = data.X[~np.isnan(data.X)]
    brightest, scaling = float(known.max(initial=0.0)), autoencoder.scaling_
    trained = float(scaling.invert(np.full((1, 1), scaling.high, dtype=np.float32)).max())
    is_bytes = data.X.dtype == np.uint8
    if (trained > 128 and 0 < brightest <= 1 and not is_bytes) or (
        trained <= 1 < brightest and is_bytes
    ):
        raise InputError(
            f"{data.source}: pixels go up to {brightest:g}, those of the training went up to "
            f"{trained:g}; bring them to that range."
        )


def _sure(decided: int) -> str:
    return "not sure" if decided == ABSTAINED else "yes"
