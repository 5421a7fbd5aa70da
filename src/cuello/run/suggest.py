"""Rows to label next, of further data or of the run's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cuello.arrays import Array, Bools
from cuello.data import Dataset
from cuello.errors import InputError
from cuello.estimators import Autoencoder
from cuello.few_label import FewLabelClassifier
from cuello.few_label.suggest import distance_to_labelled, suggest_samples
from cuello.run.embeddings import SAME_EMBEDDING, read_embeddings
from cuello.run.folder import RunFolder

__all__ = ["Suggestion", "suggest_rows"]

_NOVEL = 0.9  # share of the rows that are nearer to a labelled one


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A row to label, and the reasons."""

    row: int
    """Of ``Dataset.X``."""
    best: int
    """Column of the most probable class."""
    second: int
    """Column of the next."""
    probability: float
    """Of the most probable class."""
    uncertain: bool
    """Whether the second class is at least half as probable as the first."""
    novel: bool
    """Whether its embedding is farther from all labelled ones than those of nine rows in ten."""


def suggest_rows(
    folder: RunFolder,
    autoencoder: Autoencoder,
    classifier: FewLabelClassifier,
    data: Dataset,
    n: int,
    seed: int,
) -> list[Suggestion]:
    """Return rows of ``data.X`` to label next, those with the most to teach first.

    A row counts as labelled if the classifier learned from it (same name or number, and same
    embedding), or if the data itself has labels for some of its rows, and for this one. Labels
    that every row has are passed over: they are there to measure with. A labelled row under
    another number is suggested last, as it is no distance from a labelled one.

    Raises
    ------
    InputError
        If ``n`` is below 1, or every row has a label.
    RunError
        If the folder does not say which rows the classifier learned from.
    """
    if n < 1:
        raise InputError(argument="n", value=n, allowed="1 row or more")
    z = autoencoder.transform(data.X)
    labelled, labelled_z = _labelled(folder, data, z, autoencoder.embedding_scale_)
    if labelled.all():
        raise InputError(
            f"{data.source}: all {len(data)} rows have a label, so there is none to suggest",
            remedy="give further data",
        )
    p = classifier.predict_proba(data.X)
    rows = suggest_samples(p, z, n, labelled=labelled, labelled_embeddings=labelled_z, seed=seed)
    distance = distance_to_labelled(z, np.concatenate([z[labelled], labelled_z]))
    far = np.quantile(distance[~labelled], _NOVEL)
    order = np.argsort(-p[rows], axis=1, kind="stable")
    return [
        Suggestion(
            row=int(row),
            best=int(best),
            second=int(second),
            probability=float(p[row, best]),
            uncertain=bool(p[row, second] >= p[row, best] / 2),
            novel=bool(distance[row] > far),
        )
        for row, (best, second) in zip(rows, order[:, :2], strict=True)
    ]


def _labelled(
    folder: RunFolder, data: Dataset, embeddings: Array, scale: Array
) -> tuple[Bools, Array]:
    """Return which rows have a label, and embeddings of all that the classifier learned from."""
    known = np.zeros(len(data), dtype=bool)
    if not data.labelled.all():
        known |= data.labelled
    table, stored = read_embeddings(folder, embeddings.shape[1], ("labelled",))
    learned = table["labelled"].to_numpy()
    names = data.row_names if "name" in table.column_names else None
    row_of: dict[object, int] = {key: i for i, key in enumerate(names or range(len(data)))}
    keys = table["row" if names is None else "name"].to_pylist()
    for key, embedding in zip(np.array(keys, dtype=object)[learned], stored[learned], strict=True):
        i = row_of.get(key)
        if i is not None and (np.abs(embeddings[i] - embedding) <= SAME_EMBEDDING * scale).all():
            known[i] = True
    return known, stored[learned]
