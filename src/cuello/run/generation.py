"""Files of samples that a run denoises, interpolates, imputes, generates or projects."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cuello.arrays import Array, Codes
from cuello.data import Dataset
from cuello.data.columns import as_cells, format_number
from cuello.errors import Argument, InputError, RunError, Use
from cuello.estimators import Autoencoder
from cuello.estimators.projection import FLAT, fit_projector
from cuello.estimators.sample import (
    ReferenceEmbeddings,
    draw_embeddings,
    draw_samples,
    resolve_sampler,
)
from cuello.few_label import FewLabelClassifier
from cuello.metrics import ProjectionQuality, sample_errors
from cuello.run.embeddings import measure_projection
from cuello.run.folder import RunFolder
from cuello.run.further_data import all_rows, write_csv, write_rows
from cuello.run.opened import Run
from cuello.run.sheets import write_sheet

__all__ = [
    "write_denoised",
    "write_imputed",
    "write_interpolation",
    "write_projection",
    "write_samples",
]

_ENOUGH = 50  # labelled samples of a class, from which on it gets its own mixture
_TRIES = 200  # samples to be classified for each that is wanted


def write_denoised(run: Run, data: Dataset, out: Path, *, masked: float = 0.0) -> int:
    """Write denoised samples (``X``) to ``.npz``; return how many.

    ``removed`` is the mean squared difference of each from its noisy original. Both are in the
    units of the data, in the order of ``data.X`` and then ``data.X_test``. ``masked`` is the share
    of the elements in [0, 1) that noise set to 0, if known.
    """
    rows = all_rows(data)
    clean = run.autoencoder.denoise(rows, masked=masked)
    folder = RunFolder(out.parent)
    folder.write_arrays(out.name, {"X": clean, "removed": sample_errors(rows, clean)})
    return len(rows)


def write_interpolation(
    run: Run, data: Dataset, rows: Sequence[int], steps: int, out: Path, *, method: str = "auto"
) -> int:
    """Write interpolated samples to ``.npz``, and images side by side to ``.png``; return how many.

    Each of ``rows`` (of ``data.X``, then ``data.X_test``) is interpolated with the next in
    ``steps`` samples, both ends counted. The file holds ``X`` (pairs, steps, ...) and ``rows``.
    """
    X = all_rows(data)
    if len(rows) < 2:
        raise InputError(
            argument="rows", value=list(rows), allowed="two or more", remedy=Use("rows", [0, 1])
        )
    for row in rows:
        if not 0 <= row < len(X):
            raise InputError(
                argument="rows",
                value=row,
                allowed=f"in 0..{len(X) - 1}: so many samples there are",
            )
    model = run.autoencoder
    paths = np.stack(
        [model.interpolate(X[a], X[b], steps, method=method) for a, b in pairwise(rows)]
    )
    RunFolder(out.parent).write_arrays(out.name, {"X": paths, "rows": np.array(rows)})
    flat = paths.reshape(-1, *paths.shape[2:])
    write_sheet(model, flat, out.with_suffix(".png"), columns=steps)
    return len(flat)


def write_imputed(run: Run, data: Dataset, out: Path, *, draws: int = 1, seed: int = 0) -> int:
    """Write samples with missing values (NaN) filled in; return how many had some.

    A ``.csv`` file has the columns of the table and its labels; an ``.npz`` file ``X``, from two
    ``draws`` on of shape (draws, n, ...), and ``missing``, where it was filled.
    """
    table = out.suffix.lower() == ".csv"
    if table and data.is_image:
        raise InputError(
            f"cannot hold rows of shape {data.shape}, which are no table",
            argument="out",
            value=str(out),
            remedy="write .npz",
        )
    if table and draws > 1:
        raise InputError(
            "do not go into one table",
            argument="draws",
            value=draws,
            remedy=["write .npz, or ", Use("draws", 1)],
        )
    rows = all_rows(data)
    filled = run.autoencoder.impute(rows, draws, random_state=seed)
    missing = np.isnan(rows)
    if table:
        names, cells = as_cells(filled, data.encoding)
        labels = _label_cells(data)
        if labels:
            names.append(str(data.encoding.get("label_column") or "label"))
            cells = [[*row, label] for row, label in zip(cells, labels, strict=True)]
        write_csv(out, [names, *cells])
    else:
        RunFolder(out.parent).write_arrays(out.name, {"X": filled, "missing": missing})
    return int(missing.reshape(len(rows), -1).any(axis=1).sum())


def _label_cells(data: Dataset) -> list[str]:
    """Return the label of each sample as text; nothing if there is none, or more than one each."""
    if data.y is None or data.X_test is not None or data.y.ndim > 1:
        return []
    if data.task == "regression":
        return ["" if np.isnan(value) else format_number(value) for value in data.y]
    return [data.classes[code] if code >= 0 else "" for code in data.y]


def write_samples(
    run: Run,
    n: int,
    out: Path,
    *,
    sampler: str = "auto",
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> str:
    """Write ``n`` new samples (``X``) to ``.npz``, and images side by side to ``.png``.

    Sample i is of ``classes[i % len(classes)]``, a name, and ``y`` holds the names. A conditional
    kind passes it to the decoder. Otherwise a mixture is fitted to the embeddings of each class, if
    50 of its training samples have a label; if not, samples are drawn until the classifier has
    assigned enough of them. Return the distribution of the embeddings, in words.
    """
    model, rng = run.autoencoder, np.random.RandomState(seed)
    network = model.trained_
    sampler = resolve_sampler(network, sampler, has_reference=True)
    source = {"prior": "prior", "mixture": "mixture of Gaussians on the embeddings"}[sampler]
    reference, arrays = _reference_embeddings(run), {}
    codes = None if classes is None else _codes_of(run, classes)
    if classes is not None:
        arrays["y"] = np.resize(np.array(classes), n)
    labels = reference.labels
    has_mixtures = (
        sampler == "mixture"
        and labels is not None
        and all((labels == code).sum() >= _ENOUGH for code in codes or ())
    )
    if codes is None or model.module_.needs_labels or has_mixtures:
        X = draw_samples(network, n, sampler=sampler, classes=codes, reference=reference, rng=rng)
        source += "" if codes is None or model.module_.needs_labels else " of each class"
    else:
        X = _sample_by_classifier(run, np.resize(codes, n), sampler, reference, rng)
        source += ", with classes by the classifier"
    RunFolder(out.parent).write_arrays(out.name, {"X": X, **arrays})
    write_sheet(model, X, out.with_suffix(".png"))
    return source


def _reference_embeddings(run: Run) -> ReferenceEmbeddings:
    """Return embeddings of the training samples, and the labels that were learned from."""
    table, z = run.stored_embeddings()
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
    if run.task != "multiclass" or not run.classes:
        raise RunError(
            f"{run.folder.path} knows no classes",
            remedy=[Use("classes", None), ", or fit again on labelled samples"],
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


def _sample_by_classifier(
    run: Run,
    wanted: Codes,
    sampler: str,
    reference: ReferenceEmbeddings,
    rng: np.random.RandomState,
) -> Array:
    """Draw samples until the classifier has assigned enough to each class."""
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
            open_indices = np.flatnonzero(left & (wanted == code))
            of_class = np.flatnonzero(predicted == code)[: len(open_indices)]
            X[open_indices[: len(of_class)]] = rows[of_class]
            left[open_indices[: len(of_class)]] = False
        if not left.any():
            return X
    scarce = run.classes[int(wanted[left][0])]
    raise InputError(
        f"names {scarce!r}, and of {len(drawn):,} samples that were drawn the classifier took too "
        "few for it",
        argument="classes",
        value=[scarce],
        remedy=["give more labels of it, or fit with ", Argument("kind", "conditional")],
    )


def write_projection(
    run: Run, data: Dataset, out: Path, *, seed: int = 0
) -> tuple[int, int, dict[str, ProjectionQuality]]:
    """Write 2-D coordinates of every sample to CSV, and measure their quality.

    Return how many samples there are, on how many of them, evenly spaced, it was measured, and the
    quality by method, which is empty where samples are too few.

    Columns: ``row``, ``name`` (where samples have one), ``x`` and ``y`` (of one latent ``x``
    alone), and ``label``, where the data has one. If the run has no projection, one is fitted to
    the embeddings of this data, or refused (InputError) where samples are too few.
    """
    rows = all_rows(data)
    embeddings = run.autoencoder.transform(rows)
    projection = run.projection
    if projection is None and embeddings.shape[1] > FLAT:
        projection = fit_projector(Autoencoder, embeddings, seed, device=run.autoencoder.device)
    xy = embeddings if projection is None else projection.transform(embeddings)
    classes = data.y if data.classes else None
    if classes is not None and data.X_test is not None:
        test = np.full(len(data.X_test), -1) if data.y_test is None else data.y_test
        classes = np.concatenate([classes, test])
    labels = [] if classes is None else [data.classes[k] if k >= 0 else "" for k in classes]
    head = [*("x", "y")[: xy.shape[1]], *(["label"] if labels else [])]
    cells: list[list[Any]] = [[f"{value:.6g}" for value in row] for row in xy]
    if labels:
        cells = [[*row, label] for row, label in zip(cells, labels, strict=True)]
    write_rows(out, data, head, cells)
    return len(rows), *measure_projection(run.autoencoder, xy, rows, classes, seed=seed)
