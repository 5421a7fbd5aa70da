"""What a finished run can do with further data."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello import atomic
from cuello.data import Dataset, load
from cuello.data.sequences import pad
from cuello.errors import InputError, RunError
from cuello.estimators import Autoencoder
from cuello.few_label import FewLabelClassifier
from cuello.metrics import NOT_SURE, decide, row_errors
from cuello.networks import SEQUENCES
from cuello.pipeline.prepare import explain_empty_text
from cuello.pipeline.results import write_embeddings
from cuello.pipeline.suggest import Suggestion, suggestions
from cuello.pipeline.sure import Classified, check_sure, say_sure, sure_from
from cuello.store import RunFolder

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
    classifier : FewLabelClassifier or None
        The best of the encoder's modes, if the run had labels. Its classes are codes into
        ``classes``.
    """

    folder: RunFolder
    config: dict[str, Any]
    autoencoder: Autoencoder
    classifier: FewLabelClassifier | None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.config["data"]["classes"])

    def load(self, spec: str | Path, *, skip_bad: bool = False) -> Dataset:
        """Read further data the way the run's own data was read.

        Raises
        ------
        DataError
            If it cannot be read.
        InputError
            If its rows have another shape, or pixels another range.
        """
        encoding = self.config["data"].get("encoding") or None
        data = explain_empty_text(load(spec, encoding=encoding, skip_bad=skip_bad)).filled()
        expected = self.autoencoder.shape_
        sequences = self.autoencoder.network in SEQUENCES
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
        rows = _all_rows(data)
        back = self.autoencoder.reconstruct(rows)
        folder = RunFolder(out.parent)
        folder.write_arrays(out.name, {"X": back, "error": row_errors(rows, back)})
        return len(rows)

    def classify(self, data: Dataset, out: Path, *, sure: float = 0.95) -> Classified:
        """Write row, name (where rows have one), class, probability and ``sure`` to CSV.

        Parameters
        ----------
        data : Dataset
            Rows of ``X``, then of ``X_test``.
        out : Path
            The file to write.
        sure : float
            How often, in (0, 1), a class is to be right where ``sure`` is ``yes``; elsewhere it is
            ``not sure``. The least probability that is sure follows from labels that the
            classifier did not learn from; without any it is this number itself.

        Raises
        ------
        InputError
            If ``sure`` is outside its range.
        RunError
            If the run had no labels.
        """
        check_sure(sure)
        classifier = self.classifier_or_refuse()
        rows = _all_rows(data)
        probabilities = classifier.predict_proba(rows)
        threshold = sure_from(classifier, sure)
        decided, _ = decide(probabilities, sure if threshold is None else threshold.probability)
        best = probabilities.argmax(axis=1)
        names = data.row_names if data.row_names and len(data.row_names) == len(rows) else None
        lines = [
            [i, *([names[i]] if names else []), self._name(k), f"{p[k]:.4f}", _sure(d)]
            for i, (k, p, d) in enumerate(zip(best, probabilities, decided, strict=True))
        ]
        head = ["row", *(["name"] if names else []), "class", "probability", "sure"]
        _write_csv(out, [head, *lines])
        not_sure = int((decided == NOT_SURE).sum())
        labels = len(classifier.held_out_labels_)
        return Classified(len(rows), not_sure, say_sure(threshold, sure, labels))

    def suggest(self, data: Dataset, n: int, out: Path, *, seed: int = 0) -> int:
        """Write ``n`` rows to label next to CSV; return how many (fewer, if fewer have no label).

        Columns: ``row`` (of ``data.X``), ``name`` (where rows have one), ``class`` and
        ``probability`` as the classifier has them now, and ``why`` to label it.

        Raises
        ------
        InputError
            If ``n`` is below 1, or every row has a label.
        RunError
            If the run had no labels.
        """
        found = suggestions(
            self.folder, self.autoencoder, self.classifier_or_refuse(), data, n, seed
        )
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
        _write_csv(out, [head, *lines])
        return len(found)

    def classifier_or_refuse(self) -> FewLabelClassifier:
        """Return the classifier.

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
        return self.classes[int(self.classifier_or_refuse().classes_[column])]

    def _why(self, one: Suggestion) -> str:
        reasons = []
        if one.uncertain:
            reasons.append(f"uncertain between {self._name(one.best)} and {self._name(one.second)}")
        if one.novel:
            reasons.append("unlike anything labelled")
        return ", ".join(reasons) or "stands for others like it"


def open_run(path: str | Path, *, trust: bool = False) -> Run:
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
    autoencoder, classifier = folder.load_models(trust=trust)
    data = config.get("data")
    classes = data.get("classes") if isinstance(data, dict) else None
    needed = 0 if classifier is None else int(classifier.classes_.max()) + 1
    if not isinstance(classes, list) or len(classes) < needed:
        raise RunError(
            f"{folder.path}/config.json is damaged: its data has other classes than the "
            "classifier; restore the folder or run the fit again."
        )
    return Run(folder, config, autoencoder, classifier)


def _check_range(data: Dataset, autoencoder: Autoencoder) -> None:
    """Refuse pixels in 0..1 for a model of 0..255, or the other way round: both look usable."""
    brightest, scaling = float(data.X.max()), autoencoder.scaling_
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
    return "not sure" if decided == NOT_SURE else "yes"


def _write_csv(out: Path, lines: list[list[Any]]) -> None:
    def fill(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as f:
            csv.writer(f).writerows(lines)

    atomic.write(out, fill)


def _all_rows(data: Dataset) -> Array:
    return data.X if data.X_test is None else np.concatenate([data.X, data.X_test])
