"""Files of denoised, interpolated and imputed rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from cuello.data import Dataset
from cuello.data.cells import as_cells, format_number
from cuello.errors import InputError, Use
from cuello.metrics import sample_errors
from cuello.run.folder import RunFolder
from cuello.run.opened import Run
from cuello.run.rows import all_rows, write_csv
from cuello.run.sheets import write_sheet

__all__ = ["write_denoised", "write_imputed", "write_interpolation"]


def write_denoised(run: Run, data: Dataset, out: Path, *, masked: float = 0.0) -> int:
    """Write denoised rows (``X``) to ``.npz``; return how many.

    ``removed`` is the mean squared difference of each row from what it was. Both are in the data's
    own units, in the order of ``data.X`` and then ``data.X_test``.

    Parameters
    ----------
    run : Run
        See :meth:`cuello.Autoencoder.denoise`.
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


def write_interpolation(
    run: Run, data: Dataset, rows: Sequence[int], steps: int, out: Path, *, method: str = "auto"
) -> int:
    """Write interpolated rows to ``.npz``, and images side by side to ``.png``.

    Parameters
    ----------
    run : Run
        See :meth:`cuello.Autoencoder.interpolate`.
    data : Dataset
        Rows of ``X``, then of ``X_test``.
    rows : sequence of int
        Two or more, from 0; each is interpolated with the next.
    steps : int
        Rows from one to the next, both counted.
    out : Path
        The file to write: ``X``, of shape (pairs, steps, ...), and ``rows``.
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
        raise InputError(
            argument="rows", value=list(rows), allowed="two or more", remedy=Use("rows", [0, 1])
        )
    for row in rows:
        if not 0 <= row < len(X):
            raise InputError(
                argument="rows",
                value=row,
                allowed=f"in 0..{len(X) - 1}: so many rows there are",
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
    """Write rows with missing values filled in; return how many rows had some.

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
        How many imputations; from 2 on ``X`` is (draws, n, ...), for ``.npz`` files alone.
    seed : int
        The same gives the same draws.

    Raises
    ------
    InputError
        If rows are no table and the file is a ``.csv``, or several draws are to go into one.
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
    """Return the label of each row as it was; nothing where there is none, or more than one."""
    if data.y is None or data.X_test is not None or data.y.ndim > 1:
        return []
    if data.task == "regression":
        return ["" if np.isnan(value) else format_number(value) for value in data.y]
    return [data.classes[code] if code >= 0 else "" for code in data.y]
