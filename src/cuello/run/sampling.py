"""Files of new rows, of any class or of some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cuello.arrays import Array, Codes
from cuello.errors import Argument, InputError, RunError, Use
from cuello.estimators.sample import (
    ReferenceEmbeddings,
    draw_embeddings,
    draw_samples,
    resolve_sampler,
)
from cuello.few_label import FewLabelClassifier
from cuello.run.folder import RunFolder
from cuello.run.opened import Run
from cuello.run.sheets import write_sheet
from cuello.run.training_data import stored_embeddings

__all__ = ["write_samples"]

_ENOUGH = 50  # labelled rows of a class, from which it gets a mixture of its own
_TRIES = 200  # rows to be classified for each that is wanted


def write_samples(
    run: Run,
    n: int,
    out: Path,
    *,
    sampler: str = "auto",
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> str:
    """Write ``n`` new rows (``X``) to ``.npz``, and images side by side to ``.png``.

    Parameters
    ----------
    run : Run
        Mixtures are fitted to the embeddings of its training rows.
    n : int
        How many.
    out : Path
        The ``.npz`` file; the picture is beside it.
    sampler : str
        See :meth:`cuello.Autoencoder.sample`.
    classes : sequence of str or None
        Names of classes, in turn: row i is of ``classes[i % len(classes)]``, and ``y`` holds the
        names. A conditional kind tells its decoder. Otherwise a mixture is fitted to the rows of
        each class, if the run knows 50 of it; if not, rows are drawn until its classifier has
        found enough of them.
    seed : int
        The same gives the same rows.

    Returns
    -------
    str
        The distribution that embeddings were drawn from, in words.

    Raises
    ------
    InputError
        If an argument is not allowed, or a class is not known.
    RunError
        If classes are asked for of a run that knows none.
    """
    model, rng = run.autoencoder, np.random.RandomState(seed)
    network = model.trained_
    sampler = resolve_sampler(network, sampler, has_reference=True)
    source = {"prior": "prior", "mixture": "mixture of Gaussians on the embeddings"}[sampler]
    reference, arrays = _references(run), {}
    codes = None if classes is None else _codes_of(run, classes)
    if classes is not None and codes is not None:
        arrays["y"] = np.resize(np.array(classes), n)
    if codes is None or model.module_.needs_labels:
        X = draw_samples(network, n, sampler=sampler, classes=codes, reference=reference, rng=rng)
    elif sampler == "mixture" and _has_enough(reference, codes):
        X = draw_samples(network, n, sampler=sampler, classes=codes, reference=reference, rng=rng)
        source = "mixture of Gaussians on the embeddings of each class"
    else:
        X = _sample_by_classifier(run, np.resize(codes, n), sampler, reference, rng)
        source += ", with classes by the classifier"
    RunFolder(out.parent).write_arrays(out.name, {"X": X, **arrays})
    write_sheet(model, X, out.with_suffix(".png"))
    return source


def _references(run: Run) -> ReferenceEmbeddings:
    """Return embeddings of the run's training rows, and the labels that it learned from."""
    table, z = stored_embeddings(run)
    train = np.array([split == "train" for split in table["split"].to_pylist()])
    labels = None
    if run.classes and "label" in table.column_names:
        code_of = {name: code for code, name in enumerate(run.classes)}
        labels = np.array([code_of.get(name, -1) for name in table["label"].to_pylist()])
        if "labelled" in table.column_names:
            labels[~table["labelled"].to_numpy()] = -1
        labels = labels[train]
    return ReferenceEmbeddings(z[train], labels)


def _codes_of(run: Run, classes: Sequence[str]) -> list[int]:
    """Return the codes of classes by name."""
    if run.task != "multiclass" or not run.classes:
        raise RunError(
            f"{run.folder.path} knows no classes",
            remedy=[Use("classes", None), ", or fit again on labelled rows"],
        )
    for name in classes:
        if name not in run.classes:
            raise InputError(
                f"names {name!r}, which is none of the run's classes",
                argument="classes",
                value=list(classes),
                allowed=", ".join(run.classes),
            )
    return [run.classes.index(name) for name in classes]


def _has_enough(reference: ReferenceEmbeddings, codes: Sequence[int]) -> bool:
    labels = reference.labels
    return labels is not None and all((labels == code).sum() >= _ENOUGH for code in codes)


def _sample_by_classifier(
    run: Run,
    wanted: Codes,
    sampler: str,
    reference: ReferenceEmbeddings,
    rng: np.random.RandomState,
) -> Array:
    """Draw rows until the classifier has found all that are wanted, class by class."""
    classifier = run.classifier_or_refuse()
    assert isinstance(classifier, FewLabelClassifier)
    model = run.autoencoder
    X = np.empty((len(wanted), *model.shape_), dtype=np.float32)
    left = np.ones(len(wanted), dtype=bool)
    drawn = draw_embeddings(
        model.trained_, _TRIES * len(wanted), sampler, reference.embeddings, rng
    )
    for start in range(0, len(drawn), 1024):
        rows = model.trained_.decode_nearest(drawn[start : start + 1024])
        predicted = np.asarray(classifier.predict(rows))
        for code in np.unique(wanted[left]):
            open_places = np.flatnonzero(left & (wanted == code))
            of_class = np.flatnonzero(predicted == code)[: len(open_places)]
            X[open_places[: len(of_class)]] = rows[of_class]
            left[open_places[: len(of_class)]] = False
        if not left.any():
            return X
    scarce = run.classes[int(wanted[left][0])]
    raise InputError(
        f"names {scarce!r}, and of {len(drawn):,} rows that were drawn the classifier took too few "
        "for it",
        argument="classes",
        value=[scarce],
        remedy=["give more labels of it, or fit with ", Argument("kind", "conditional")],
    )
