"""The data that a run was made of, read again, and known to be the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from cuello.data import Dataset
from cuello.errors import CuelloError, RunError
from cuello.run.opened import Run

__all__ = ["read_training_data", "stored_embeddings"]

_COMPARED = 64  # rows
_SAME_CODE = 1e-3  # in deviations of the codes: what rounding makes of a row in another batch


def read_training_data(run: Run) -> Dataset:
    """Read the data of a run again.

    Its rows are compared with the codes that the folder keeps: all of them in number, some in
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
    job = run.config.get("job")
    spec = job.get("data") if isinstance(job, dict) else None
    if not isinstance(spec, str) or not isinstance(job, dict):
        raise RunError(f"{run.folder.path}/config.json does not say what data the run was made of.")
    try:
        data = run.load(spec, skip_bad=bool(job.get("skip_bad")))
    except (CuelloError, OSError) as error:
        raise RunError(
            f"the data of {run.folder.path} cannot be read again ({error}); put {spec} back where "
            "it was, or work from the folder it was given in."
        ) from error
    _compare(run, data, spec)
    return data


def stored_embeddings(run: Run) -> tuple[pa.Table, npt.NDArray[np.float32]]:
    """Return the table of embeddings and its codes (rows, latents), rows of ``X`` first.

    Raises
    ------
    RunError
        If the file is missing or damaged, or of another model.
    """
    file = run.folder.path / "embeddings.parquet"
    latents = run.autoencoder.latent_dim_
    try:
        table = pq.read_table(file)
        columns = [table[f"z{k}"].to_numpy() for k in range(latents)]
        if f"z{latents}" in table.column_names:
            raise KeyError(f"z{latents} is one more than the model's codes have")
        codes = np.stack(columns, axis=1).astype(np.float32)
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "it does not exist" if missing else " ".join(str(error).split())[:200]
        raise RunError(
            f"{file} cannot be used ({reason}); restore the folder, or run the fit again."
        ) from error
    return table, codes


def _compare(run: Run, data: Dataset, spec: str) -> None:
    _, codes = stored_embeddings(run)
    rows = len(data) + (0 if data.X_test is None else len(data.X_test))
    if len(codes) != rows:
        raise _other(run, spec, f"it has {rows} rows, and had {len(codes)}")
    some = np.unique(np.linspace(0, len(data) - 1, _COMPARED).astype(np.int64))
    now: npt.NDArray[Any] = run.autoencoder.transform(data.X[some])
    apart = np.abs(now - codes[some]) / run.autoencoder.embedding_scale_
    bad = np.flatnonzero(~(apart <= _SAME_CODE).all(axis=1))
    if bad.size:
        raise _other(run, spec, f"row {some[bad[0]]} has another code")


def _other(run: Run, spec: str, reason: str) -> RunError:
    return RunError(
        f"{spec} is not the data that {run.folder.path} was made of ({reason}); restore the data, "
        "or run the fit again."
    )
