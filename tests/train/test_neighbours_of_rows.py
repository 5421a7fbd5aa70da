"""Rows that come with one of their neighbours: whose, and how far away."""

from __future__ import annotations

import torch

from cuello.train import Rows

# Pairs in a line: 0-1, 10-11, ...; each row's nearest is its partner.
PAIRS = torch.tensor([[10.0 * pair + one] for pair in range(6) for one in (0.0, 1.0)])


def test_every_row_comes_with_its_nearest():
    rows = Rows(PAIRS).with_neighbours(1)
    for index in (torch.tensor([4, 0, 11]), slice(2, 7)):
        batch = rows.take(index)
        assert torch.equal(batch.x, PAIRS[index])
        assert torch.equal((batch.neighbour - batch.x).abs(), torch.ones_like(batch.x))


def test_none_are_wanted_none_come():
    rows = Rows(PAIRS)
    assert rows.with_neighbours(0) is rows
    assert rows.take(slice(0, 3)).neighbour is None


def test_at_first_they_are_three_steps_away():
    line = torch.arange(40.0)[:, None]
    rows = Rows(line).with_neighbours(2)  # the next on either side
    index = torch.arange(10, 30)
    torch.manual_seed(0)
    apart = {
        progress: {
            int(distance)
            for _ in range(50)
            for distance in (rows.take(index, progress).neighbour - line[index]).abs().flatten()
        }
        for progress in (0.0, 0.49, 0.5, 1.0)
    }
    assert apart[0.0] == apart[0.49] == {1, 3}
    assert apart[0.5] == apart[1.0] == {1}


def test_rows_are_compared_by_what_is_made_of_them():
    rows = Rows(torch.tensor([[1.0], [2.0], [-1.1], [-2.2]])).with_neighbours(1, torch.abs)
    assert (
        rows.take(slice(0, 4)).neighbour.flatten().tolist()
        == torch.tensor([-1.1, -2.2, 1.0, 2.0]).tolist()
    )


def test_other_devices_hold_the_same():
    rows = Rows(PAIRS).with_neighbours(1).to(torch.device("cpu"))
    assert rows.nearby is not None
    assert len(rows.take(slice(0, 3)).neighbour) == 3
