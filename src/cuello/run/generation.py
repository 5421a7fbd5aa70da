"""What the decoder of a finished run does with further data, or with none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cuello import atomic
from cuello.data import Dataset
from cuello.data.cells import as_cells, number
from cuello.errors import InputError, RunError
from cuello.estimators.sample import (
    ReferenceEmbeddings,
    draw_embeddings,
    draw_samples,
    resolve_sampler,
)
from cuello.few_label import FewLabelClassifier
from cuello.metrics import sample_errors
from cuello.report.pictures import contact_sheet, enlargement, to_pixels
from cuello.run.folder import RunFolder
from cuello.run.rows import all_rows, write_csv
from cuello.run.training_data import stored_embeddings

if TYPE_CHECKING:
    from cuello.run.opened import Run

__all__ = ["denoise", "impute", "interpolate", "sample"]

Array = npt.NDArray[Any]

_ENOUGH = 50  # labelled rows of a class, from which it gets a mixture of its own
_LINE = 96  # grey
_TRIES = 200  # rows to be classified for each that is wanted


def denoise(run: Run, data: Dataset, out: Path, *, masked: float = 0.0) -> int:
    """Write rows without their noise (``X``) to ``.npz``; return how many.

    ``removed`` is the mean squared difference of each row from what it was. Both are in the data's
    own units, in the order of ``data.X`` and then ``data.X_test``.

    Parameters
    ----------
    run : Run
        Its autoencoder does it; see :meth:`cuello.Autoencoder.denoise`.
    data : Dataset
        Noisy rows.
    out : Path
        The file to write.
    masked : float
        Share of the elements in [0, 1) that noise set to 0, if known.
    """
    rows = all_rows(data)
    clean = run.autoencoder.denoise(rows, masked=masked)
    folder = RunFolder(out.parent)
    folder.write_arrays(out.name, {"X": clean, "removed": sample_errors(rows, clean)})
    return len(rows)


def interpolate(
    run: Run, data: Dataset, rows: Sequence[int], steps: int, out: Path, *, method: str = "auto"
) -> int:
    """Write the way through rows to ``.npz``, and images side by side to ``.png``.

    Parameters
    ----------
    run : Run
        See :meth:`cuello.Autoencoder.interpolate`.
    data : Dataset
        Rows of ``X``, then of ``X_test``.
    rows : sequence of int
        Two or more, from 0; the way leads from each to the next.
    steps : int
        Rows from one to the next, both counted.
    out : Path
        The file to write: ``X``, of shape (ways, steps, ...), and ``rows``.
    method : str
        ``auto``, ``linear`` or ``spherical``.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    InputError
        If there is no such row, or fewer than two.
    """
    X = all_rows(data)
    if len(rows) < 2:
        raise InputError(f"rows={','.join(map(str, rows))}: name two or more, such as rows=0,1.")
    for row in rows:
        if not 0 <= row < len(X):
            raise InputError(f"rows={row} must be in 0..{len(X) - 1}: so many rows there are.")
    model = run.autoencoder
    ways = np.stack(
        [model.interpolate(X[a], X[b], steps, method=method) for a, b in pairwise(rows)]
    )
    RunFolder(out.parent).write_arrays(out.name, {"X": ways, "rows": np.array(rows)})
    flat = ways.reshape(-1, *ways.shape[2:])
    write_sheet(run, flat, out.with_suffix(".png"), columns=steps)
    return len(flat)


def impute(run: Run, data: Dataset, out: Path, *, draws: int = 1, seed: int = 0) -> int:
    """Write rows with what is missing filled in; return how many were not whole.

    Parameters
    ----------
    run : Run
        See :meth:`cuello.Autoencoder.impute`.
    data : Dataset
        NaN where something is missing, as :meth:`Run.load` reads it with ``holes``.
    out : Path
        A ``.csv`` file has the columns of the table and its labels; an ``.npz`` file ``X``, and
        ``missing``, which says where it was filled.
    draws : int
        How many fillings; from 2 on ``X`` is (draws, n, ...), for ``.npz`` files alone.
    seed : int
        The same gives the same draws.

    Raises
    ------
    InputError
        If rows are no table and the file is a ``.csv``, or several draws are to go into one.
    """
    table = out.suffix.lower() == ".csv"
    if table and data.is_image:
        raise InputError(f"out={out}: rows of shape {data.shape} are no table; write .npz.")
    if table and draws > 1:
        raise InputError(f"draws={draws} do not go into one table; write .npz, or use draws=1.")
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
    """Return the label of each row as it was; nothing where there is none, or more than one."""
    if data.y is None or data.X_test is not None or data.y.ndim > 1:
        return []
    if data.task == "regression":
        return ["" if np.isnan(value) else number(value) for value in data.y]
    return [data.classes[code] if code >= 0 else "" for code in data.y]


def sample(
    run: Run,
    n: int,
    out: Path,
    *,
    sampler: str = "auto",
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> str:
    """Write ``n`` new rows (``X``) to ``.npz``, and images side by side to ``.png``; say how.

    Parameters
    ----------
    run : Run
        Mixtures are fitted to the codes of its training rows.
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
    said = {"prior": "prior", "mixture": "mixture of Gaussians on the codes"}[sampler]
    known, arrays = _known(run), {}
    if classes is None:
        X = draw_samples(network, n, sampler=sampler, classes=None, reference=known, rng=rng)
    else:
        codes = _codes_of(run, classes)
        arrays["y"] = np.resize(np.array(classes), n)
        if model.module_.needs_labels:
            X = draw_samples(network, n, sampler=sampler, classes=codes, reference=known, rng=rng)
        elif sampler == "mixture" and _are_known(known, codes):
            X = draw_samples(network, n, sampler=sampler, classes=codes, reference=known, rng=rng)
            said = "mixture of Gaussians on the codes of each class"
        else:
            X = _classified(run, np.resize(codes, n), sampler, known, rng)
            said += ", as the classifier has it"
    RunFolder(out.parent).write_arrays(out.name, {"X": X, **arrays})
    write_sheet(run, X, out.with_suffix(".png"))
    return said


def write_sheet(run: Run, X: Array, out: Path, *, columns: int | None = None) -> None:
    """Write images side by side to ``.png``; of rows that are none, nothing."""
    shape = run.autoencoder.shape_
    if len(shape) < 2 or run.is_of_sequences:
        return
    low, high = run.autoencoder.scaling_.low, run.autoencoder.scaling_.high
    scaled = (run.autoencoder.scaling_.apply(X) - low) / max(high - low, 1e-12)
    pixels = to_pixels(scaled)
    # A line between images: dark ones run into one another.
    edges = [(0, 0), (0, 1), (0, 1), *[(0, 0)] * (pixels.ndim - 3)]
    pixels = np.pad(pixels, edges, constant_values=_LINE)
    height, width = pixels.shape[1:3]
    longest = max(height, width)
    sheet, _ = contact_sheet(pixels, longest=longest, columns=columns)
    factor = enlargement(height, width)
    if factor > 1:
        sheet = sheet.resize((int(sheet.width * factor), int(sheet.height * factor)), 0)
    atomic.write(out, lambda temporary: sheet.save(temporary, "PNG"))


def _known(run: Run) -> ReferenceEmbeddings:
    """Return codes of the run's training rows, and the labels that it learned from."""
    table, codes = stored_embeddings(run)
    train = np.full(len(codes), True)
    if "part" in table.column_names:
        train = np.array([part == "train" for part in table["part"].to_pylist()])
    labels = None
    if run.classes and "label" in table.column_names:
        of_name = {name: code for code, name in enumerate(run.classes)}
        labels = np.array([of_name.get(name, -1) for name in table["label"].to_pylist()])
        if "labelled" in table.column_names:
            labels[~table["labelled"].to_numpy()] = -1
        labels = labels[train]
    return ReferenceEmbeddings(codes[train], labels)


def _codes_of(run: Run, classes: Sequence[str]) -> list[int]:
    """Return the codes of classes by name."""
    if run.task != "multiclass" or not run.classes:
        raise RunError(
            f"{run.folder.path} knows no classes; leave classes out, or fit again on labelled rows."
        )
    for name in classes:
        if name not in run.classes:
            raise InputError(
                f"classes={','.join(classes)}: {name!r} is none of the run's, which are "
                f"{', '.join(run.classes)}."
            )
    return [run.classes.index(name) for name in classes]


def _are_known(known: ReferenceEmbeddings, codes: Sequence[int]) -> bool:
    if known.labels is None:
        return False
    return all((known.labels == code).sum() >= _ENOUGH for code in codes)


def _classified(
    run: Run,
    wanted: npt.NDArray[np.int64],
    sampler: str,
    known: ReferenceEmbeddings,
    rng: np.random.RandomState,
) -> Array:
    """Draw rows until the classifier has found all that are wanted, class by class."""
    classifier = run.classifier_or_refuse()
    assert isinstance(classifier, FewLabelClassifier)
    model = run.autoencoder
    X = np.empty((len(wanted), *model.shape_), dtype=np.float32)
    left = np.ones(len(wanted), dtype=bool)
    drawn = draw_embeddings(model.trained_, _TRIES * len(wanted), sampler, known.embeddings, rng)
    for start in range(0, len(drawn), 1024):
        rows = model.trained_.decode_nearest(drawn[start : start + 1024])
        found = np.asarray(classifier.predict(rows))
        for code in np.unique(wanted[left]):
            places = np.flatnonzero(left & (wanted == code))
            own = np.flatnonzero(found == code)[: len(places)]
            X[places[: len(own)]] = rows[own]
            left[places[: len(own)]] = False
        if not left.any():
            return X
    missing = run.classes[int(wanted[left][0])]
    raise InputError(
        f"classes: of {len(drawn):,} rows that were drawn the classifier took too few for "
        f"{missing!r}; give more labels of it, or fit kind='conditional'."
    )
