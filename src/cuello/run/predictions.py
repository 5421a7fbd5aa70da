"""Predictions for further data: classes, typical errors, samples to label next, and anomalies."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cuello.anomalies import AnomalyDetector
from cuello.anomalies.detector import CONTAMINATIONS
from cuello.anomalies.fitted import COMBINED
from cuello.arrays import Array, Bools, Floats
from cuello.data import Dataset
from cuello.errors import InputError
from cuello.estimators import Autoencoder
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.suggest import distance_to_labelled, suggest_samples
from cuello.formats import number_text
from cuello.metrics import ABSTAINED, Threshold, decide, find_threshold
from cuello.run.embeddings import SAME_EMBEDDING, read_embeddings
from cuello.run.folder import RunFolder

__all__ = [
    "MIN_PRECISION",
    "Classified",
    "ScoredRows",
    "check_min_precision",
    "classify_rows",
    "largest_contributions",
    "score_rows",
    "suggest_rows",
    "typical_error",
]

MIN_PRECISION = 0.95
_NAMED = 3
_ROWS_A_BLOCK = 4096
_NOVEL = 0.9  # share of the samples that are nearer to a labelled one


class Classified(NamedTuple):
    """Summary of samples that were classified, or got numbers or properties."""

    rows: int
    undecided: int | None
    """How many are undecided; None where labels are no classes."""
    basis: str
    """How precise decisions are (promised, estimated or unknown), or the error of numbers."""

    def summary(self) -> str:
        """Return the summary as one line."""
        counts = f"{self.rows:,} samples"
        if self.undecided is not None:
            counts += f", {self.undecided:,} of them undecided"
        return f"{counts} ({self.basis})" if self.basis else counts


def typical_error(model: FewLabelClassifier | FewLabelRegressor) -> str:
    """Return the end of a sentence on a regressor's absolute errors of held-out labels.

    A cautious figure, as the networks of the folds learned from fewer labels. Empty where nothing
    was held out, and for classifiers.
    """
    if not isinstance(model, FewLabelRegressor):
        return ""
    task, scores = model.task_, model.held_out_scores_
    measured = np.isfinite(scores).all(axis=1)
    if not measured.any():
        return ""
    true = task.link(model.held_out_labels_[measured, None])
    errors = np.abs(task.link(scores[measured]) - true)
    # As for conformal prediction, a new sample is the (n + 1)th.
    most = np.quantile(errors, min(1.0, 0.9 * (1 + 1 / len(errors))), method="higher")
    mean, most = (number_text(float(error)) for error in (errors.mean(), most))
    labels = f"{len(errors):,} held-out labels"
    return f"off by {mean} on average, nine in ten by {most} or less: by {labels}"


def check_min_precision(min_precision: float) -> None:
    """Refuse (InputError) a precision that is not between 0 and 1."""
    if not 0.0 < min_precision < 1.0:
        raise InputError(
            argument="min_precision",
            value=min_precision,
            allowed="above 0 and below 1, for example 0.95",
        )


def classify_rows(
    classifier: FewLabelClassifier,
    X: Array,
    classes: tuple[str, ...],
    min_precision: float | None,
) -> tuple[list[list[str]], str]:
    """Return class, probability and decision of each sample, and how precise decisions are.

    ``min_precision``, 0.95 by default, is the share of the decisions, in (0, 1), that are to be
    right. The least probability that decides follows from held-out labels.
    """
    wanted = MIN_PRECISION if min_precision is None else min_precision
    check_min_precision(wanted)
    probabilities = classifier.predict_proba(X)
    scores, y = classifier.held_out_scores_, classifier.held_out_labels_
    measured = np.isfinite(scores).all(axis=1)
    threshold = None
    if measured.any():
        p = classifier.task_.link(scores[measured], classifier.temperature_)
        threshold = find_threshold(p, y[measured], wanted)
    decisions = decide(probabilities, wanted if threshold is None else threshold.probability)
    names = [classes[int(code)] for code in classifier.classes_]
    cells = [
        [names[k], f"{p[k]:.4f}", "undecided" if decision == ABSTAINED else "decided"]
        for k, p, decision in zip(
            probabilities.argmax(axis=1), probabilities, decisions, strict=True
        )
    ]
    return cells, _describe_threshold(threshold, wanted, len(y))


def _describe_threshold(threshold: Threshold | None, min_precision: float, labels: int) -> str:
    """Return in words how precise decisions at a threshold are."""
    share = f"{100 * min_precision:g} %"
    if threshold is None:
        return (
            f"a probability below {min_precision:g}; no labels were held out to measure what that "
            "means"
        )
    if threshold.guaranteed:
        return (
            f"of the others {share} or more are right: promised by {labels} held-out labels with "
            "95 % confidence"
        )
    if threshold.coverage == 0.0:
        return f"of {labels} held-out labels not even the surest answers are {share} right"
    return (
        f"of the others about {100 * threshold.precision:.1f} % are right: estimated, as {labels} "
        f"held-out labels cannot promise {share}"
    )


def suggest_rows(
    folder: RunFolder,
    autoencoder: Autoencoder,
    classifier: FewLabelClassifier,
    classes: tuple[str, ...],
    data: Dataset,
    n: int,
    seed: int,
) -> tuple[list[int], list[list[str]]]:
    """Return samples of ``data.X`` to label next, and class, probability and reason of each.

    Those with the most to teach come first. A sample counts as labelled if the classifier learned
    from it (same name or number, and same embedding), or if the data itself has labels for some of
    its samples, and for this one. Labels that every sample has are passed over: they are there to
    measure with. A labelled sample under another number is suggested last, as it is no distance
    from a labelled one.
    """
    if n < 1:
        raise InputError(argument="n", value=n, allowed="1 row or more")
    z = autoencoder.transform(data.X)
    labelled, labelled_z = _labelled(folder, data, z, autoencoder.embedding_scale_)
    if labelled.all():
        raise InputError(
            f"{data.source}: all {len(data)} samples have a label, so there is none to suggest",
            remedy="give further data",
        )
    p = classifier.predict_proba(data.X)
    rows = suggest_samples(p, z, n, labelled=labelled, labelled_embeddings=labelled_z, seed=seed)
    distance = distance_to_labelled(z, np.concatenate([z[labelled], labelled_z]))
    far = np.quantile(distance[~labelled], _NOVEL)
    order = np.argsort(-p[rows], axis=1, kind="stable")
    names = [classes[int(code)] for code in classifier.classes_]
    cells = []
    for row, (best, second) in zip(rows, order[:, :2], strict=True):
        reasons = []
        if p[row, second] >= p[row, best] / 2:
            reasons.append(f"uncertain between {names[best]} and {names[second]}")
        if distance[row] > far:
            reasons.append("unlike anything labelled")
        why = ", ".join(reasons) or "stands for others like it"
        cells.append([names[best], f"{p[row, best]:.4f}", why])
    return rows.tolist(), cells


def _labelled(
    folder: RunFolder, data: Dataset, embeddings: Array, scale: Array
) -> tuple[Bools, Array]:
    """Return which samples have a label, and embeddings of all that the classifier learned from."""
    has_label = np.zeros(len(data), dtype=bool)
    if not data.labelled.all():
        has_label |= data.labelled
    table, stored = read_embeddings(folder, embeddings.shape[1], ("labelled",))
    learned = table["labelled"].to_numpy()
    names = data.row_names if "name" in table.column_names else None
    row_of: dict[object, int] = {key: i for i, key in enumerate(names or range(len(data)))}
    keys = table["row" if names is None else "name"].to_pylist()
    for key, embedding in zip(np.array(keys, dtype=object)[learned], stored[learned], strict=True):
        i = row_of.get(key)
        if i is not None and (np.abs(embeddings[i] - embedding) <= SAME_EMBEDDING * scale).all():
            has_label[i] = True
    return has_label, stored[learned]


@dataclass(frozen=True)
class ScoredRows:
    """Anomaly scores of n samples."""

    scores: Floats
    """In powers of ten: of normal samples, one in 100 has a score of 2 or more."""
    by_score: dict[str, Floats]
    """The same by each single score."""
    threshold: float
    """Above it a sample is an anomaly."""
    basis: str
    """Reason of the threshold, in words."""

    def summary(self) -> str:
        """Return the number of anomalies and the basis of the threshold, in words."""
        count = int((self.scores > self.threshold).sum())
        return f"{count} of {len(self.scores)} samples are anomalies ({self.basis})"

    def cells(self, why: list[str]) -> list[list[str]]:
        """Return a line of cells for each sample: score, anomaly or not, single scores, and why."""
        return [
            [
                f"{score:.4f}",
                "yes" if score > self.threshold else "no",
                *(f"{single[i]:.4f}" for single in self.by_score.values()),
                why[i],
            ]
            for i, score in enumerate(self.scores)
        ]


def score_rows(
    detector: AnomalyDetector,
    rows: Array,
    method: str,
    false_positive_rate: float,
    contamination: float | None,
) -> ScoredRows:
    """Return the scores of samples (n, ...), and the threshold that the options ask for."""
    if contamination is not None:
        CONTAMINATIONS.check("contamination", contamination)
    # A copy: other options must not change the detector of the run.
    detector = copy(detector).use(method=method, false_positive_rate=false_positive_rate)
    by_score = detector.single_scores(rows)
    scores = by_score[method]
    del by_score[COMBINED]
    if contamination is None:
        _, low, high = detector.false_positive_rate_
        basis = (
            f"{false_positive_rate:.2%} of normal samples may be: by {detector.scores_.n_held_out} "
            f"held-out samples between {low:.2%} and {high:.2%} are"
        )
        return ScoredRows(scores, by_score, detector.threshold_, basis)
    count = round(contamination * len(rows))
    ranked = np.sort(scores)[::-1]
    threshold = float(np.inf if count == 0 else ranked[min(count, len(rows) - 1)])
    return ScoredRows(scores, by_score, threshold, f"{contamination:.2%} of the samples, as given")


def largest_contributions(
    detector: AnomalyDetector, rows: Array, columns: tuple[str, ...]
) -> list[str]:
    """Return up to three features that add most to each reconstruction error, with their shares."""
    shape = rows.shape[1:]
    texts: list[str] = []
    for start in range(0, len(rows), _ROWS_A_BLOCK):
        errors = np.nan_to_num(detector.contributions(rows[start : start + _ROWS_A_BLOCK]))
        flat = errors.reshape(len(errors), -1)
        shares = flat / np.maximum(flat.sum(axis=1, keepdims=True), 1e-12)
        most = np.argsort(-shares, axis=1, kind="stable")[:, :_NAMED]
        texts += [
            ", ".join(f"{_feature_name(k, shape, columns)} {row[k]:.0%}" for k in features)
            for row, features in zip(shares, most, strict=True)
        ]
    return texts


def _feature_name(k: int, shape: tuple[int, ...], columns: tuple[str, ...]) -> str:
    if len(shape) == 1:
        return columns[k] if k < len(columns) else f"column {k}"
    return f"({' '.join(str(i) for i in np.unravel_index(k, shape))})"
