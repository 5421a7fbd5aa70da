"""Classes that a trained classifier never predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cuello.arrays import Array

__all__ = ["NEVER_PREDICTED", "find_unpredicted"]

NEVER_PREDICTED = "(class|property) .+ predicted for none of"
"""Beginning of the warning, for whoever compares many classifiers."""
_LOOKED_AT_ONCE = 1024


def find_unpredicted(model: Any, X: Array, names: Sequence[object] | None = None) -> list[str]:
    """Return a finding, with the remedy, for each class that no sample (n, ...) is predicted as.

    ``model`` is a fitted :class:`cuello.FewLabelClassifier`. Only classes, or properties, that
    some labelled sample has are looked for. ``names`` are those of classes by their code, or of
    properties; by default as ``fit`` read them.
    """
    y = model.held_out_labels_
    is_multilabel = y.ndim == 2
    counts = y.sum(axis=0) if is_multilabel else np.bincount(y, minlength=len(model.classes_))
    missing = set(np.flatnonzero(counts).tolist())
    # In random order the first few samples nearly always hold every class, and the rest is spared.
    order = np.random.default_rng(0).permutation(len(X))
    for start in range(0, len(X), _LOOKED_AT_ONCE):
        if not missing:
            break
        predicted = model.predict(X[order[start : start + _LOOKED_AT_ONCE]])
        missing -= set(
            np.flatnonzero(predicted.any(axis=0)).tolist()
            if is_multilabel
            else np.searchsorted(model.classes_, predicted).tolist()
        )
    classes = model.classes_.tolist()
    word = "property" if is_multilabel else "class"
    return [
        f"{word} {names[classes[k]] if names else classes[k]} (labels: {counts[k]:.0f}) is "
        f"predicted for none of {len(X):,} samples: label more of it (`cuello suggest` names "
        "samples worth a label), or choose another method."
        for k in sorted(missing)
    ]
