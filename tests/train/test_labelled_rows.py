"""Labelled rows that come with every batch, and the schedule that goes with them."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from cuello.train import Rows, TrainingConfig


@given(few=st.integers(1, 9), draw=st.integers(1, 12), batch=st.integers(1, 5))
def test_labelled_rows_are_drawn_at_most_once_a_batch(few, draw, batch):
    labelled = Rows(torch.arange(few)[:, None] + 100.0, torch.arange(few))
    rows = Rows(torch.arange(5.0)[:, None], torch.full((5,), -1), labelled=labelled, draw=draw)
    assert len(rows) == 5
    index = torch.arange(batch)
    taken = rows.to(torch.device("cpu")).take(index)
    assert torch.equal(taken.x[:batch, 0], index.float())
    assert torch.equal(taken.y[:batch], torch.full((batch,), -1))
    codes = taken.y[batch:]
    assert len(codes) == len(codes.unique()) == min(few, draw)
    assert torch.equal(taken.x[batch:, 0], codes + 100.0)


def test_every_labelled_row_is_drawn_sooner_or_later():
    labelled = Rows(torch.zeros(6, 1), torch.arange(6))
    rows = Rows(torch.zeros(2, 1), torch.full((2,), -1), labelled=labelled, draw=2)
    drawn = torch.cat([rows.take(slice(0, 2)).y[2:] for _ in range(60)])
    assert set(drawn.tolist()) == set(range(6))


def test_a_rate_constant_for_two_thirds_then_linear_to_0():
    config = TrainingConfig(schedule="constant_linear")
    rates = [config.rate_factor(progress) for progress in (0.0, 0.3, 2 / 3, 0.75, 5 / 6, 1.0)]
    np.testing.assert_allclose(rates, [1, 1, 1, 0.75, 0.5, 0], atol=1e-12)
