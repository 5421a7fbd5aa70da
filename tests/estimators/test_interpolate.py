"""The way between two rows: its ends, and where it runs in between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from cuello import Autoencoder, InputError
from cuello.estimators.sample import linear, spherical

X = load_digits().images.astype(np.float32)


def fitted(kind):
    return Autoencoder(kind, hidden=(32,), latent_dim=6, epochs=5).fit(X)


@pytest.fixture(scope="module")
def models():
    return {kind: fitted(kind) for kind in ("plain", "variational", "vector-quantised")}


@pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")
@pytest.mark.parametrize("kind", ["plain", "variational", "vector-quantised"])
def test_it_begins_and_ends_with_the_reconstructions(models, kind):
    way = models[kind].interpolate(X[3], X[17], steps=6)
    assert way.shape == (6, 8, 8)
    ends = models[kind].reconstruct(X[[3, 17]])
    np.testing.assert_allclose(way[[0, -1]], ends, atol=1e-4)


def test_it_is_spherical_for_a_normal_prior_and_else_linear(models):
    for kind, way, other in (
        ("plain", "linear", "spherical"),
        ("variational", "spherical", "linear"),
    ):
        auto, named, not_it = (
            models[kind].interpolate(X[3], X[17], method=method) for method in ("auto", way, other)
        )
        np.testing.assert_array_equal(auto, named)
        assert not np.array_equal(auto, not_it)


CODES = st.lists(st.floats(-5, 5), min_size=3, max_size=3).map(np.array)


@given(a=CODES, b=CODES, steps=st.integers(2, 9))
def test_both_ways_join_their_ends_and_backwards_is_the_same(a, b, steps):
    for way in (linear, spherical):
        codes = way(a, b, steps)
        assert codes.shape == (steps, 3)
        np.testing.assert_allclose(codes[[0, -1]], [a, b], atol=1e-9)
        np.testing.assert_allclose(codes[::-1], way(b, a, steps), atol=1e-6)


@given(a=CODES, b=CODES)
def test_an_arc_keeps_the_length_and_turns_evenly(a, b):
    if min(np.linalg.norm(a), np.linalg.norm(b)) < 0.1:
        return
    u, v = a / np.linalg.norm(a), b / np.linalg.norm(b)
    if abs(u @ v) > 0.999:
        return
    arc = spherical(u, v, 7)
    np.testing.assert_allclose(np.linalg.norm(arc, axis=1), 1.0, atol=1e-9)
    cosines = (arc[1:] * arc[:-1]).sum(axis=1)
    np.testing.assert_allclose(cosines, cosines[0], atol=1e-9)


def test_a_straight_line_is_even():
    codes = linear(np.zeros(2), np.array([4.0, 8.0]), 5)
    np.testing.assert_allclose(np.diff(codes, axis=0), [[1.0, 2.0]] * 4)


def test_what_is_not_allowed_is_refused(models):
    with pytest.raises(InputError, match="steps=1 must be"):
        models["plain"].interpolate(X[0], X[1], steps=1)
    with pytest.raises(InputError, match="method='round' is not known"):
        models["plain"].interpolate(X[0], X[1], method="round")
    with pytest.raises(InputError, match="samples of shape"):
        models["plain"].interpolate(X[0, :, :4], X[1, :, :4])
