"""Training rows by index."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cuello.kinds.base import Batch

__all__ = ["Rows", "batch_bounds"]


@dataclass(frozen=True)
class Rows:
    """Rows that stay on the device whole.

    Taking rows by index from one resident tensor has no per-row cost; a loader that collates rows
    one by one spends longer on that than these networks spend on computing.

    Parameters
    ----------
    x : Tensor
        (n, ...), scaled.
    y : Tensor or None
        (n,) class codes.
    """

    x: Tensor
    y: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device) -> Rows:
        """Return the same rows on a device."""
        return Rows(self.x.to(device), None if self.y is None else self.y.to(device))

    def take(self, index: Tensor | slice) -> Batch:
        """Return the rows at these positions."""
        if isinstance(index, slice):
            return Batch(self.x[index], None if self.y is None else self.y[index])
        # Copies whole rows; the general `x[index]` goes element by element.
        y = None if self.y is None else self.y.index_select(0, index)
        return Batch(self.x.index_select(0, index), y)


def batch_bounds(rows: int, batch_size: int) -> list[tuple[int, int]]:
    """Cut rows into batches; one left over joins the batch before it.

    A batch of one row has no variance, which batch normalisation needs.

    Examples
    --------
    >>> batch_bounds(9, 4)
    [(0, 4), (4, 9)]
    """
    starts = list(range(0, rows, batch_size))
    if len(starts) > 1 and batch_size > 1 and rows - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], rows], strict=True))
