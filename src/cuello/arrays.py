"""Names for the types of arrays, shared by all packages."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Bools", "Codes", "Float32s", "Floats", "Indices", "Record"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
"""Classes by number, -1 where a sample has no label."""
Indices = npt.NDArray[np.int64]

Record = dict[str, Any]
"""Plain JSON values by name."""
