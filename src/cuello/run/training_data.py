"""The data that a run was made of, read again, and known to be the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cuello.arrays import Float32s
from cuello.data import Dataset
from cuello.errors import CuelloError, RunError
from cuello.run.embeddings import SAME_EMBEDDING, read_embeddings
from cuello.run.opened import Run

__all__ = ["read_training_data", "stored_embeddings"]

_COMPARED = 64  # rows


def read_training_data(run: Run) -> Dataset:
    """Read the data of a run again.

    Its rows are compared with the embeddings that the folder keeps: all of them in number, some in
    value.

    Parameters
    ----------
    run : Run
        An opened run folder.

    Returns
    -------
    Dataset
        As the run read it: empty cells filled, sequences filled up.

    Raises
    ------
    RunError
        If it cannot be read any more, or is not what it was.

    Examples
    --------
    >>> import tempfile, cuello
    >>> folder = cuello.fit("font", out=tempfile.mkdtemp(), hidden=(20,), latent_dim=2, epochs=9)
    >>> len(read_training_data(cuello.open_run(folder.path)))
    32
    """
    job = run.config["job"]
    spec: str = job["data"]
    try:
        data = run.load(spec, skip_bad=job["skip_bad"])
    except (CuelloError, OSError) as error:
        raise RunError(
            f"the data of {run.folder.path} cannot be read again ({error})",
            remedy=f"put {spec} back where it was, or work from the folder it was given in",
        ) from error
    _compare_rows(run, data, spec)
    return data


def stored_embeddings(run: Run) -> tuple[pa.Table, Float32s]:
    """Return the table of embeddings, and those alone (rows, latents), rows of ``X`` first.

    Raises
    ------
    RunError
        If the file is missing or damaged, or of another model.
    """
    return read_embeddings(run.folder, run.autoencoder.latent_dim_)


def _compare_rows(run: Run, data: Dataset, spec: str) -> None:
    _, stored = stored_embeddings(run)
    rows = len(data) + (0 if data.X_test is None else len(data.X_test))
    if len(stored) != rows:
        raise _other_data(run, spec, f"it has {rows} rows, and had {len(stored)}")
    some = np.unique(np.linspace(0, len(data) - 1, _COMPARED).astype(np.int64))
    now = run.autoencoder.transform(data.X[some])
    apart = np.abs(now - stored[some]) / run.autoencoder.embedding_scale_
    bad = np.flatnonzero(~(apart <= SAME_EMBEDDING).all(axis=1))
    if bad.size:
        raise _other_data(run, spec, f"row {some[bad[0]]} has another embedding")


def _other_data(run: Run, spec: str, reason: str) -> RunError:
    return RunError(
        f"{spec} is not the data that {run.folder.path} was made of ({reason})",
        remedy="restore the data, or run the fit again",
    )
