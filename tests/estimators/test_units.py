"""Tables in other units: the columns' scales and shifts change no result."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from cuello import AnomalyDetector, Autoencoder, FewLabelClassifier, FewLabelRegressor
from cuello.anomalies import SCORES
from cuello.data.scaling import Scaling
from cuello.kinds import KINDS

pytestmark = pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")

COLUMNS = 5
PER_COLUMN = {"min_size": COLUMNS, "max_size": COLUMNS}
UNITS = st.tuples(
    st.lists(st.floats(-6, 6), **PER_COLUMN).map(lambda powers: 10.0 ** np.array(powers)),
    st.lists(st.floats(-1e4, 1e4), **PER_COLUMN).map(np.array),
)
"""Scale of each column, and a shift in widths of that column."""


def table(n=40):
    rng = np.random.default_rng(0)
    return rng.random((n, 2)) @ rng.normal(size=(2, COLUMNS)) + 0.1 * rng.random((n, COLUMNS))


def small(kind="plain"):
    return Autoencoder(kind, hidden=(6,), epochs=1)


def classes(X):
    return np.arange(len(X)) % 3


def in_units(X, units):
    scale, shift = units
    return scale * (X + shift)


def embeddings(kind, X):
    return small(kind).fit(X, classes(X) if KINDS[kind].needs_labels else None).transform(X)


def detector(X):
    return AnomalyDetector(small()).fit(X).single_scores(X)


@functools.cache
def expected(compute, *options):
    return compute(*options, table())


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=10, deadline=None)
@given(units=UNITS)
def test_every_kind(kind, units):
    found = embeddings(kind, in_units(table(), units))
    np.testing.assert_allclose(found, expected(embeddings, kind), atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(units=UNITS)
def test_every_score(units):
    found = detector(in_units(table(), units))
    assert found.keys() >= SCORES.keys() - {"edges", "likelihood"}
    for name, scores in found.items():
        np.testing.assert_allclose(scores, expected(detector)[name], rtol=1e-3, atol=1e-3)


def predictions(X):
    y = np.where(np.arange(len(X)) < 30, classes(X), -1)
    options = {"method": "linear_probe", "cv": 0}
    classifier = FewLabelClassifier(small(), **options).fit(X, y)
    number = FewLabelRegressor(small(), **options).fit(X, np.where(y < 0, np.nan, 1.0 * y))
    return np.column_stack([classifier.predict_proba(X), number.predict(X)])


@settings(max_examples=10, deadline=None)
@given(units=UNITS)
def test_few_labels(units):
    found = predictions(in_units(table(), units))
    np.testing.assert_allclose(found, expected(predictions), atol=1e-3)


def test_bytes_of_a_table_are_no_pixels():
    X = np.random.default_rng(0).integers(0, 256, (50, 4), dtype=np.uint8)
    assert Scaling.fit(X).name == "standard"
    assert Scaling.fit(X.reshape(-1, 2, 2)).name == "minmax"
    np.testing.assert_allclose(embeddings("plain", X), embeddings("plain", X / 255.0), atol=1e-5)


@pytest.mark.parametrize("dtype", ["int64", "uint32", "float64"])
def test_long_integers_keep_their_digits(dtype):
    """Minutes since 1970, one after another: single precision has two steps for all of them."""
    X = np.arange(200)[:, None] * np.array([1, 2, 3])
    late = (X + 2_000_000_000).astype(dtype)
    np.testing.assert_allclose(embeddings("plain", late), embeddings("plain", X), atol=1e-4)


def test_the_obvious_call_takes_tables_with_few_columns():
    model = Autoencoder(epochs=1)
    assert model.fit(load_iris().data).latent_dim_ == 2
    assert model.fit(np.random.default_rng(0).random((20, 2))).latent_dim_ == 1
    assert model.fit(np.random.default_rng(0).random((20, 9, 9))).latent_dim_ == 32
