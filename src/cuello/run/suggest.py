"""Which rows of further data, or of the run's own, to label next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from cuello.data import Dataset
from cuello.errors import InputError, RunError
from cuello.estimators import Autoencoder
from cuello.few_label import FewLabelClassifier
from cuello.few_label.suggest import distance_to_labelled, suggest
from cuello.run.folder import RunFolder

__all__ = ["Suggestion", "suggestions"]

Array = npt.NDArray[Any]

_NOVEL = 0.9  # share of the rows that are nearer to a labelled one
_SAME_CODE = 1e-3  # in deviations: what rounding makes of a row in another batch


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A row to label, and what speaks for it."""

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
    """Whether its code is farther from all labelled ones than those of nine rows in ten."""


def suggestions(
    folder: RunFolder,
    autoencoder: Autoencoder,
    classifier: FewLabelClassifier,
    data: Dataset,
    n: int,
    seed: int,
) -> list[Suggestion]:
    """Return rows of ``data.X`` to label next, those with the most to teach first.

    A row counts as labelled if the classifier learned from it (same name or number, and same code),
    or if the data itself has labels for some of its rows, and for this one. Labels that every row
    has are passed over: they are there to measure with. A labelled row under another number is
    suggested last, as it is no distance from a labelled one.

    Raises
    ------
    InputError
        If ``n`` is below 1, or every row has a label.
    RunError
        If the folder does not say which rows the classifier learned from.
    """
    if n < 1:
        raise InputError(f"n={n} must be 1 row or more.")
    codes = autoencoder.transform(data.X)
    labelled, labelled_embeddings = _labelled(folder, data, codes, autoencoder.embedding_scale_)
    if labelled.all():
        raise InputError(
            f"{data.source}: all {len(data)} rows have a label, so there is none to suggest; give "
            "further data."
        )
    p = classifier.predict_proba(data.X)
    rows = suggest(
        p, codes, n, labelled=labelled, labelled_embeddings=labelled_embeddings, seed=seed
    )
    distance = distance_to_labelled(codes, np.concatenate([codes[labelled], labelled_embeddings]))
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
    folder: RunFolder, data: Dataset, codes: Array, scale: Array
) -> tuple[npt.NDArray[np.bool_], Array]:
    """Return which rows have a label, and the codes of all that the classifier learned from."""
    known = np.zeros(len(data), dtype=bool)
    if not data.labelled.all():
        known |= data.labelled
    table = _read(folder, codes.shape[1])
    learned = np.stack([table[f"z{k}"].to_numpy() for k in range(codes.shape[1])], axis=1)
    named = data.row_names is not None and "name" in table.column_names
    keys = data.row_names if named else range(len(data))
    place = {key: i for i, key in enumerate(keys or ())}
    for key, code in zip(table["name" if named else "row"].to_pylist(), learned, strict=True):
        i = place.get(key)
        if i is not None and (np.abs(codes[i] - code) <= _SAME_CODE * scale).all():
            known[i] = True
    return known, learned


def _read(folder: RunFolder, latents: int) -> pa.Table:
    """Return the rows of the run that the classifier learned from, and their codes."""
    file = folder.path / "embeddings.parquet"
    try:
        table = pq.read_table(file)
        missing = {"row", "labelled", *(f"z{k}" for k in range(latents))} - {*table.column_names}
        if not missing:
            return table.filter(table["labelled"])
        reason = f"it has no column {', '.join(sorted(missing))}"
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
    raise RunError(
        f"{file} cannot be used ({reason}); restore the folder, or run the fit again with this "
        "version."
    )
