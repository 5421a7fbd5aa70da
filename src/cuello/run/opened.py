"""A finished run, and its application to further data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cuello.anomalies import AnomalyDetector
from cuello.arrays import Float32s, Record
from cuello.data import Dataset
from cuello.data.columns import format_number
from cuello.errors import Argument, InputError, RunError, Use
from cuello.estimators import Autoencoder
from cuello.few_label import FewLabelClassifier
from cuello.metrics import sample_errors
from cuello.networks import NETWORKS
from cuello.run import predictions
from cuello.run.embeddings import read_embeddings, write_embeddings
from cuello.run.folder import RunFolder
from cuello.run.further_data import (
    all_rows,
    read_further_data,
    read_training_data,
    write_rows,
)
from cuello.run.models import FewLabelModel, load_models

__all__ = ["Run", "open_run"]


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
        Of the best few-label method, if the run had labels: a regressor where they are numbers.
        Its classes are codes into ``classes``, or columns of ``properties``.
    detector : AnomalyDetector or None
        None where no sample was held out.
    projection : Autoencoder or None
        From embeddings of more than 2 latents to 2-D coordinates; None with fewer latents, or too
        few training samples.
    """

    folder: RunFolder
    config: Record
    autoencoder: Autoencoder
    classifier: FewLabelModel | None
    detector: AnomalyDetector | None = None
    projection: Autoencoder | None = None

    @property
    def task(self) -> str:
        """``multiclass``, ``multilabel`` or ``regression``."""
        return str(self.config["data"]["task"])

    @property
    def properties(self) -> tuple[str, ...]:
        """Names of the properties, of ``multilabel`` data."""
        return tuple(self.config["data"]["properties"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.config["data"]["classes"])

    @property
    def is_of_sequences(self) -> bool:
        """Whether samples are sequences, not images or rows of a table."""
        return NETWORKS[self.autoencoder.network_].is_sequence

    def load(self, spec: str | Path, *, skip_bad: bool = False, holes: bool = False) -> Dataset:
        """Read further data the way the training data was read.

        With ``holes``, missing values stay NaN instead of being refused, or filled with the median
        of their column.

        Raises
        ------
        DataError
            If it cannot be read, its samples have another shape, or pixels another range.
        """
        return read_further_data(
            spec, self.config, self.autoencoder, self.folder, skip_bad=skip_bad, holes=holes
        )

    def training_data(self) -> Dataset:
        """Read the data of the run again, which must match the stored embeddings.

        Raises
        ------
        RunError
            If it cannot be read any more, or has changed.

        Examples
        --------
        >>> import tempfile, cuello
        >>> folder = cuello.fit("font", out=tempfile.mkdtemp(), hidden=(9,), latent_dim=2, epochs=2)
        >>> len(cuello.open_run(folder.path).training_data())
        32
        """
        return read_training_data(self.config, self.autoencoder, self.folder)

    def stored_embeddings(self) -> tuple[pa.Table, Float32s]:
        """Return the table of embeddings, and those alone (samples, latents), ``X`` first."""
        return read_embeddings(self.folder, self.autoencoder.latent_dim_)

    def embed(self, data: Dataset, out: Path) -> int:
        """Write the embedding of every sample to Parquet; return how many."""
        return write_embeddings(out, data, self.autoencoder)

    def reconstruct(self, data: Dataset, out: Path) -> int:
        """Write reconstructions (``X``) and the mean squared error of each to ``.npz``.

        Both are in the units of the data, in the order of ``data.X`` and then ``data.X_test``.
        """
        rows = all_rows(data)
        back = self.autoencoder.reconstruct(rows)
        folder = RunFolder(out.parent)
        folder.write_arrays(out.name, {"X": back, "error": sample_errors(rows, back)})
        return len(rows)

    def classify(
        self, data: Dataset, out: Path, *, min_precision: float | None = None
    ) -> predictions.Classified:
        """Predict the label of every sample, and write it to CSV.

        Columns: ``row``, ``name`` (where samples have one), and for classes ``class``,
        ``probability`` and ``decision`` (``decided`` or ``undecided``); for numbers ``value``; for
        properties the probability of each, under its name.

        Parameters
        ----------
        data : Dataset
            Samples of ``X``, then of ``X_test``.
        out : Path
            The file to write.
        min_precision : float or None
            Share of the decided samples, in (0, 1), whose class is to be right; None is 0.95. The
            least probability that decides follows from labels that the classifier did not learn
            from; without any it is this number itself.

        Raises
        ------
        InputError
            If ``min_precision`` is outside its range, or set where labels are no classes.
        RunError
            If the run had no labels.
        """
        model, X = self.classifier_or_refuse(), all_rows(data)
        undecided = None
        if self.task == "multiclass":
            assert isinstance(model, FewLabelClassifier)
            head = ["class", "probability", "decision"]
            cells, basis = predictions.classify_rows(model, X, self.classes, min_precision)
            undecided = sum(row[-1] == "undecided" for row in cells)
        elif min_precision is not None:
            answers = "numbers" if self.task == "regression" else "a probability for each property"
            raise InputError(
                f"is for classes, and this run gives {answers}",
                argument="min_precision",
                value=min_precision,
                remedy=Use("min_precision", None),
            )
        elif isinstance(model, FewLabelClassifier):
            basis, head = "", list(self.properties)
            cells = [[f"{p:.4f}" for p in row] for row in model.predict_proba(X)]
        else:
            basis, head = predictions.typical_error(model), ["value"]
            # Computed in single precision: more digits would be noise.
            cells = [[format_number(v)] for v in np.asarray(model.predict(X), np.float32)]
        write_rows(out, data, head, cells)
        return predictions.Classified(len(X), undecided, basis)

    def anomalies(
        self,
        data: Dataset,
        out: Path,
        *,
        method: str = "combined",
        false_positive_rate: float = 0.01,
        contamination: float | None = None,
    ) -> predictions.ScoredRows:
        """Write the anomaly score of every sample to CSV.

        Columns: ``row``, ``name`` (where samples have one), ``score`` (of normal samples one in 100
        has 2 or more), ``anomaly`` (``yes`` or ``no``), each single score, and ``why``: the columns
        of a table, or pixels of an image, that add most to the reconstruction error.

        Parameters
        ----------
        data : Dataset
            Samples of ``X``, then of ``X_test``.
        out : Path
            The file to write.
        method : str
            ``combined``, or one of :data:`cuello.anomalies.SCORES`.
        false_positive_rate : float
            Share of normal samples, in (0, 1), that may be called anomalies.
        contamination : float or None
            Share of the samples that are anomalies, in (0, 0.5]: sets the threshold instead.

        Raises
        ------
        InputError
            If an option is outside its range.
        RunError
            If the run holds no detector.
        """
        if self.detector is None:
            raise RunError(
                f"{self.folder.path} holds no anomaly detector, as no row was held out",
                remedy=["fit again with ", Use("validation", 0.1)],
            )
        rows = all_rows(data)
        scored = predictions.score_rows(
            self.detector, rows, method, false_positive_rate, contamination
        )
        why = predictions.largest_contributions(self.detector, rows, data.columns)
        write_rows(out, data, ["score", "anomaly", *scored.by_score, "why"], scored.cells(why))
        return scored

    def suggest(self, data: Dataset, n: int, out: Path, *, seed: int = 0) -> int:
        """Write ``n`` samples to label next to CSV; return how many (fewer, if few have no label).

        Columns: ``row`` (of ``data.X``), ``name`` (where samples have one), ``class`` and
        ``probability`` as the classifier has them now, and ``why`` to label it.

        Raises
        ------
        InputError
            If ``n`` is below 1, or every sample has a label.
        RunError
            If the run had no labels, or they are no classes.
        """
        classifier = self.classifier_or_refuse()
        if self.task != "multiclass" or not isinstance(classifier, FewLabelClassifier):
            raise RunError(
                f"{self.folder.path} learned labels of task {self.task!r}; which samples to label "
                "next is only known for classes",
                remedy="label samples at random",
            )
        model, classes = self.autoencoder, self.classes
        rows, cells = predictions.suggest_rows(
            self.folder, model, classifier, classes, data, n, seed
        )
        write_rows(out, data, ["class", "probability", "why"], cells, rows)
        return len(rows)

    def classifier_or_refuse(self) -> FewLabelModel:
        """Return the classifier, or the regressor; refuse (RunError) a run without labels."""
        if self.classifier is None:
            raise RunError(
                f"{self.folder.path} holds no classifier: it was trained without labels",
                remedy=["fit again with ", Argument("labels")],
            )
        return self.classifier


def open_run(path: str | Path, *, trust_remote_code: bool = False) -> Run:
    """Open a finished run folder.

    Parameters
    ----------
    path : str or Path
        The folder.
    trust_remote_code : bool
        Whether networks that the folder only names may be imported and run.

    Raises
    ------
    RunError
        If the folder is missing, not finished, damaged or not trusted.
    """
    folder = RunFolder(Path(path))
    config = folder.config()
    models = load_models(folder, trust_remote_code=trust_remote_code)
    if not _fits_run(config["data"], models.classifier):
        raise folder.damaged("config.json", "its data has other classes than the classifier")
    return Run(folder, config, *models)


def _fits_run(data: Record, model: FewLabelModel | None) -> bool:
    """Return whether the classes in the configuration are those of the model."""
    if not isinstance(model, FewLabelClassifier):
        return model is None or data["task"] == "regression"
    if data["task"] == "multilabel":
        return len(data["properties"]) == len(model.classes_)
    return data["task"] == "multiclass" and len(data["classes"]) > int(model.classes_.max())
