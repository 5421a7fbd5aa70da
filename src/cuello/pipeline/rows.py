"""All rows of a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.data import Dataset

__all__ = ["all_rows"]


def all_rows(data: Dataset) -> npt.NDArray[Any]:
    """Return the rows of ``data.X``, then those of the official test part, if there is one."""
    return data.X if data.X_test is None else np.concatenate([data.X, data.X_test])
