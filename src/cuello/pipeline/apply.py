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
from cuello.metrics import row_errors
from cuello.networks import SEQUENCES
from cuello.pipeline.prepare import explain_empty_text
from cuello.pipeline.results import write_embeddings
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

    def classify(self, data: Dataset, out: Path) -> int:
        """Write row, name (where rows have one), class and probability to CSV.

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
        rows = _all_rows(data)
        probabilities = self.classifier.predict_proba(rows)
        best = probabilities.argmax(axis=1)
        names = data.row_names if data.row_names and len(data.row_names) == len(rows) else None

        def fill(temporary: Path) -> None:
            with temporary.open("w", newline="", encoding="utf-8") as f:
                writer = csv.writer(f)
                writer.writerow(["row", *(["name"] if names else []), "class", "probability"])
                for i, k in enumerate(best):
                    label = self.classes[self.classifier.classes_[k]]  # type: ignore[union-attr]
                    name = [names[i]] if names else []
                    writer.writerow([i, *name, label, f"{probabilities[i, k]:.4f}"])

        atomic.write(out, fill)
        return len(rows)


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


def _all_rows(data: Dataset) -> Array:
    return data.X if data.X_test is None else np.concatenate([data.X, data.X_test])
