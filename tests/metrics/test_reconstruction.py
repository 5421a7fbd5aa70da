"""Errors of reconstructions against their formula, over any number of chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.metrics import quality, sample_errors


@given(
    samples=st.integers(0, 30),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8]),
    chunk=st.integers(1, 31),
)
def test_errors_are_their_formula_whatever_the_chunk(samples, shape, dtype, chunk):
    X, Y = (255 * np.random.default_rng(0).random((2, samples, *shape))).astype(dtype)
    exact = (X.astype(np.float64) - Y.astype(np.float64)) ** 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality, "_ERRORS_AT_ONCE", chunk)
        errors = sample_errors(X, Y)
    assert errors.dtype == np.float64
    np.testing.assert_allclose(errors, [sample.mean() for sample in exact], rtol=1e-12)
