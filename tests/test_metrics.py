"""Measures against their formulas, over any number of chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello import metrics
from cuello.metrics import mean_sd, row_errors


@given(
    rows=st.integers(0, 30),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8]),
    chunk=st.integers(1, 31),
)
def test_row_errors_are_their_formula_whatever_the_chunk(rows, shape, dtype, chunk):
    X, Y = (255 * np.random.default_rng(0).random((2, rows, *shape))).astype(dtype)
    exact = (X.astype(np.float64) - Y.astype(np.float64)) ** 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_CHUNK", chunk)
        errors = row_errors(X, Y)
    assert errors.dtype == np.float64
    np.testing.assert_allclose(errors, [row.mean() for row in exact], rtol=1e-12)


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20))
def test_mean_and_sample_standard_deviation(values):
    mean, sd = mean_sd(values)
    assert mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    squares = sum((v - mean) ** 2 for v in values)
    assert sd == pytest.approx((squares / max(len(values) - 1, 1)) ** 0.5, abs=1e-9)
