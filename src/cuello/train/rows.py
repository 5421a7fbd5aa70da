"""Training samples by index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cuello.data.neighbours import NeighbourGraph
from cuello.kinds.base import Batch

__all__ = ["Rows", "batch_bounds"]

_FAR = 3  # steps from neighbour to neighbour, at first


@dataclass(frozen=True)
class Rows:
    """Hold training samples whole on the device.

    Taking samples by index from one resident tensor has no cost per sample; a loader that collates
    them one by one spends longer on that than these networks spend on computing.

    Parameters
    ----------
    x : Tensor
        (n, ...), scaled.
    y : Tensor or None
        (n,) class codes; not None where there are labelled samples.
    labelled : Rows or None
        Further samples, of which some come with every batch: the few that have a label, beside the
        many that have none.
    draw : int
        Number of labelled samples in a batch, at random and each at most once; all if there are
        fewer.
    nearby : NeighbourGraph or None
        Neighbours of the samples: one comes with every sample, drawn anew each time.

    Examples
    --------
    >>> few = Rows(torch.ones(2, 1), torch.tensor([0, 1]))
    >>> rows = Rows(torch.zeros(9, 1), torch.full((9,), -1), labelled=few, draw=4)
    >>> rows.take(slice(0, 3)).y
    tensor([-1, -1, -1,  0,  1])
    """

    x: Tensor
    y: Tensor | None = None
    labelled: Rows | None = None
    draw: int = 0
    nearby: NeighbourGraph | None = None

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device) -> Rows:
        """Return the same samples on a device."""
        y = None if self.y is None else self.y.to(device)
        labelled = None if self.labelled is None else self.labelled.to(device)
        nearby = None if self.nearby is None else self.nearby.to(device)
        return Rows(self.x.to(device), y, labelled, self.draw, nearby)

    def with_neighbours(
        self, k: int, features: Callable[[Tensor], Tensor] = lambda x: x.flatten(1)
    ) -> Rows:
        """Return the same samples, each to come with one of its k nearest; with 0, as they are.

        ``features`` turns all samples (n, ...) into the vectors whose distances count, (n, F).

        Examples
        --------
        >>> rows = Rows(torch.tensor([[0.0], [1.0], [5.0], [6.0]])).with_neighbours(1)
        >>> rows.take(torch.tensor([0, 3])).neighbour
        tensor([[1.],
                [5.]])
        """
        return replace(self, nearby=NeighbourGraph.of(features(self.x), k)) if k else self

    def take(self, index: Tensor | slice, progress: float = 1.0) -> Batch:
        """Return the samples at these positions, and those that come with every batch.

        In the first half of a training (``progress`` below 0.5) neighbours are those of neighbours
        of neighbours, so that groups find together first.
        """
        if isinstance(index, slice):
            batch = Batch(self.x[index], None if self.y is None else self.y[index])
        else:
            # Copies whole samples; the general `x[index]` goes element by element.
            y = None if self.y is None else self.y.index_select(0, index)
            batch = Batch(self.x.index_select(0, index), y)
        if self.labelled is not None:
            few = self.labelled
            chosen: Tensor | slice = slice(None)
            if self.draw < len(few):
                chosen = torch.randperm(len(few))[: self.draw].to(few.x.device)
            drawn = few.take(chosen)
            assert batch.y is not None
            assert drawn.y is not None
            return Batch(torch.cat([batch.x, drawn.x]), torch.cat([batch.y, drawn.y]))
        if self.nearby is not None:
            positions = torch.arange(len(self), device=self.x.device)[index]
            drawn_at = self.nearby.draw(positions, _FAR if progress < 0.5 else 1)
            return batch._replace(neighbour=self.x.index_select(0, drawn_at))
        return batch


def batch_bounds(rows: int, batch_size: int) -> list[tuple[int, int]]:
    """Cut samples into batches; a last one alone joins the batch before it.

    A batch of one sample has no variance, which batch normalisation needs.
    """
    starts = list(range(0, rows, batch_size))
    if len(starts) > 1 and batch_size > 1 and rows - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], rows], strict=True))
