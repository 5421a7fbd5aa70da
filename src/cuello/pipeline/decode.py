"""What the decoder of a finished run does with further data, or with none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cuello.data import Dataset
from cuello.metrics import row_errors
from cuello.pipeline.rows import all_rows
from cuello.store import RunFolder

if TYPE_CHECKING:
    from cuello.pipeline.apply import Run

__all__ = ["denoise"]


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
    folder.write_arrays(out.name, {"X": clean, "removed": row_errors(rows, clean)})
    return len(rows)
