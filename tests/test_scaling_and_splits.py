"""Scaling and splitting: inverses, stratification, no leak from held-out rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from cuello import Dataset, InputError
from cuello.data.scaling import SCALINGS, Scaling
from cuello.data.splits import split

tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 20), st.integers(1, 5)),
    elements=st.floats(-1e4, 1e4, width=32),
)


@given(X=tables, name=st.sampled_from(SCALINGS))
def test_invert_undoes_apply(X, name):
    scaling = Scaling.fit(X, name)
    back = scaling.invert(scaling.apply(X))
    np.testing.assert_allclose(back, X, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(X).max()))


@given(X=tables)
def test_against_scikit_learn(X):
    assume((X.std(axis=0) > 1e-3 * np.maximum(1.0, np.abs(X).max())).all())
    expected = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(Scaling.fit(X, "standard").apply(X), expected, atol=1e-4)
    expected = MinMaxScaler().fit_transform(X)
    np.testing.assert_allclose(Scaling.fit(X, "minmax").apply(X), expected, atol=1e-4)


@given(X=tables, name=st.sampled_from(SCALINGS))
def test_range_holds_the_rows_it_was_fitted_on(X, name):
    scaling = Scaling.fit(X, name)
    scaled = scaling.apply(X)
    slack = 1e-4 * max(1.0, abs(scaling.low), abs(scaling.high))
    assert scaled.min() >= scaling.low - slack
    assert scaled.max() <= scaling.high + slack


@given(X=tables, name=st.sampled_from(SCALINGS))
def test_json_round_trip(X, name):
    scaling = Scaling.fit(X, name)
    assert Scaling.from_json(json.loads(json.dumps(scaling.to_json()))) == scaling


def test_bytes_have_a_fixed_range():
    X = np.array([[7, 9]], dtype=np.uint8)
    assert Scaling.fit(X).apply(np.array([[0, 255]], np.uint8)).tolist() == [[0.0, 1.0]]
    assert Scaling.fit(X, "symmetric").apply(np.array([[0, 255]], np.uint8)).tolist() == [[-1, 1]]


def test_apply_leaves_its_input_alone_and_a_large_offset_keeps_its_digits():
    X = np.array([[1.7e9], [1.7e9 + 1.0], [1.7e9 + 2.0]])
    before = X.copy()
    scaled = Scaling.fit(X, "standard").apply(X)
    assert np.array_equal(X, before)
    np.testing.assert_allclose(scaled.ravel(), [-1.2247, 0.0, 1.2247], atol=1e-3)


def test_unknown_scaling():
    with pytest.raises(InputError, match="did you mean 'minmax'"):
        Scaling.fit(np.eye(2), "min-max")


@given(
    sizes=st.lists(st.integers(10, 60), min_size=1, max_size=5),
    validation=st.sampled_from([0.1, 0.25]),
    test=st.sampled_from([0.2, 0.3]),
    seed=st.integers(0, 1000),
)
def test_split_is_a_stratified_partition(sizes, validation, test, seed):
    y = np.repeat(np.arange(len(sizes)), sizes)
    y = np.random.default_rng(seed).permutation(y)
    data = Dataset(X=np.zeros((len(y), 1)), y=y, name="toy", source="here")
    rows = split(data, validation=validation, test=test, random_state=seed)
    parts = [rows.train, rows.validation, rows.test]
    assert sorted(np.concatenate(parts)) == list(range(len(y)))
    assert len(rows.test) == round(test * len(y))
    assert len(rows.validation) == round(validation * len(y))
    for share, part in ((test, rows.test), (validation, rows.validation)):
        for k, size in enumerate(sizes):
            assert abs(np.sum(y[part] == k) - share * size) <= 2
    again = split(data, validation=validation, test=test, random_state=seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, vars(again).values(), strict=True))


def test_an_official_test_part_is_kept():
    data = Dataset(X=np.zeros((50, 1)), X_test=np.ones((9, 1)), name="toy", source="here")
    rows = split(data)
    assert rows.test is None
    assert len(rows.train) + len(rows.validation) == 50


@pytest.mark.parametrize(
    ("options", "n", "text"),
    [
        ({"validation": 0.0}, 50, "between 0 and 1"),
        ({"test": 1.5}, 50, "test=1.5"),
        ({"validation": 0.6, "test": 0.4}, 50, "leave nothing"),
        ({}, 3, "too few"),
    ],
)
def test_impossible_splits_are_refused(options, n, text):
    with pytest.raises(InputError) as error:
        split(Dataset(X=np.zeros((n, 1)), name="toy", source="here"), **options)
    assert text in str(error.value)
