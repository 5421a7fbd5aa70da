"""Scaling and splitting: inverses, stratification, no leak from held-out samples."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from cuello import Dataset, InputError
from cuello.data.scaling import SCALINGS, Scaling
from cuello.data.splits import make_split, split_arrays

tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 20), st.integers(1, 5)),
    elements=st.floats(-1e4, 1e4, width=32),
)


@given(X=tables, name=st.sampled_from(sorted(SCALINGS)))
def test_invert_undoes_apply(X, name):
    scaling = Scaling.fit(X, name)
    back = scaling.invert(scaling.apply(X))
    assert back.dtype == scaling.dtype
    np.testing.assert_allclose(back, X, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(X).max()))


@given(X=tables)
def test_against_scikit_learn(X):
    assume((X.std(axis=0) > 1e-3 * np.maximum(1.0, np.abs(X).max())).all())
    expected = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(Scaling.fit(X, "standard").apply(X), expected, atol=1e-4)
    expected = MinMaxScaler().fit_transform(X)
    np.testing.assert_allclose(Scaling.fit(X, "minmax").apply(X), expected, atol=1e-4)
    expected = MinMaxScaler((-1, 1)).fit_transform(X)
    np.testing.assert_allclose(Scaling.fit(X, "symmetric").apply(X), expected, atol=1e-4)


@given(X=tables, name=st.sampled_from(["minmax", "symmetric", "standard"]))
def test_pixels_are_scaled_alike(X, name):
    column = Scaling.fit(X.reshape(-1, 1), name)
    images = Scaling.fit(X[:, :, None], name)
    assert (len(images.offset), images.low, images.high) == (1, column.low, column.high)
    scaled = column.apply(X.reshape(-1, 1)).reshape(*X.shape, 1)
    np.testing.assert_allclose(images.apply(X[:, :, None]), scaled, atol=1e-5)


@pytest.mark.parametrize(
    ("low", "high", "table", "images"),
    [
        (0.0, 1.0, "standard", "none"),
        (0.2, 0.8, "standard", "none"),
        (-0.5, 1.0, "standard", "minmax"),
        (0.0, 1.5, "standard", "minmax"),
    ],
)
def test_auto_follows_range_and_shape(low, high, table, images):
    X = np.linspace(low, high, 24)
    assert Scaling.fit(X.reshape(8, 3)).name == table
    assert Scaling.fit(X.reshape(4, 3, 2)).name == images


@given(
    value=st.floats(-1e6, 1e6),
    rows=st.integers(2, 50),
    name=st.sampled_from(["minmax", "standard", "symmetric"]),
)
def test_constant_columns_become_zero(value, rows, name):
    scaled = Scaling.fit(np.full((rows, 2), value), name).apply(np.full((rows, 2), value))
    np.testing.assert_allclose(scaled, 0.0, atol=1e-6)


def test_a_narrow_column_is_not_a_constant_one():
    X = 5.0 + 1e-6 * np.arange(9.0)[:, None]
    assert Scaling.fit(X, "standard").apply(X).std() == pytest.approx(1.0, rel=1e-3)


@given(X=tables, name=st.sampled_from(sorted(SCALINGS)))
def test_range_holds_the_rows_it_was_fitted_on(X, name):
    scaling = Scaling.fit(X, name)
    scaled = scaling.apply(X)
    slack = 1e-4 * max(1.0, abs(scaling.low), abs(scaling.high))
    assert scaled.min() >= scaling.low - slack
    assert scaled.max() <= scaling.high + slack
    if scaling.name in ("none", "standard"):
        assert scaled.min() == pytest.approx(scaling.low, abs=slack)
        assert scaled.max() == pytest.approx(scaling.high, abs=slack)


@given(X=tables, name=st.sampled_from(sorted(SCALINGS)))
def test_json_round_trip(X, name):
    scaling = Scaling.fit(X, name)
    assert Scaling.from_json(json.loads(json.dumps(dataclasses.asdict(scaling)))) == scaling


def test_bytes_have_a_fixed_range():
    X = np.array([[[7, 9]]], dtype=np.uint8)
    assert Scaling.fit(X).apply(np.array([[[0, 255]]], np.uint8)).tolist() == [[[0.0, 1.0]]]
    assert Scaling.fit(X, "symmetric").apply(np.array([[0, 255]], np.uint8)).tolist() == [[-1, 1]]
    ranges = {"auto": (0, 1), "minmax": (0, 1), "none": (7, 9), "symmetric": (-1, 1)}
    for name, expected in ranges.items():
        assert (Scaling.fit(X, name).low, Scaling.fit(X, name).high) == expected


@pytest.mark.parametrize("name", ["none", "standard"])
def test_bytes_without_a_range_are_numbers_like_others(name):
    X = np.array([[7, 200], [9, 0], [30, 30]], dtype=np.uint8)
    assert Scaling.fit(X, name) == Scaling.fit(X.astype(np.float64), name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("name", SCALINGS)
def test_apply_leaves_its_input_alone(name, dtype):
    X = np.arange(12).reshape(4, 3).astype(dtype)
    scaled = Scaling.fit(X, name).apply(X)
    scaled += 1.0
    assert np.array_equal(X, np.arange(12).reshape(4, 3))


def test_a_large_offset_keeps_its_digits():
    X = np.array([[1.7e9], [1.7e9 + 1.0], [1.7e9 + 2.0]])
    scaled = Scaling.fit(X, "standard").apply(X)
    np.testing.assert_allclose(scaled.ravel(), [-1.2247, 0.0, 1.2247], atol=1e-3)


def test_the_mean_of_many_float32_rows_is_exact():
    X = (1000 + np.random.default_rng(0).random((200_000, 2))).astype(np.float32)
    scaling = Scaling.fit(X, "standard")
    np.testing.assert_allclose(scaling.offset, X.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaling.width, X.astype(np.float64).std(axis=0), rtol=1e-9)


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
    rows = make_split(data, validation=validation, test=test, random_state=seed)
    parts = [rows.train, rows.validation, rows.test]
    assert sorted(np.concatenate(parts)) == list(range(len(y)))
    assert len(rows.test) == round(test * len(y))
    assert len(rows.validation) == round(validation * len(y))
    for share, chosen in ((test, rows.test), (validation, rows.validation)):
        for k, size in enumerate(sizes):
            assert abs(np.sum(y[chosen] == k) - share * size) <= 2
    assert all((np.diff(chosen) > 0).all() for chosen in parts)
    again = make_split(data, validation=validation, test=test, random_state=seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, vars(again).values(), strict=True))


def test_every_row_is_as_likely_as_any_other_to_be_held_out():
    y = np.repeat([0, 1, 2], [2, 8, 30])
    data = Dataset(X=np.zeros((40, 1)), y=y, name="toy", source="here")
    held_out = np.zeros((2, 40))
    for seed in range(200):
        rows = make_split(data, validation=0.25, test=0.25, random_state=seed)
        held_out[0, rows.validation] += 1
        held_out[1, rows.test] += 1
    sd = np.sqrt(200 * 0.25 * 0.75)
    assert np.abs(held_out - 50).max() < 5 * sd


@given(seed=st.integers(0, 1000), labelled=st.booleans())
def test_parts_hold_the_rows_and_labels_of_their_positions(seed, labelled):
    y = np.arange(30) % 2
    official = {"X_test": np.full((5, 1), -1.0), "y_test": np.ones(5, dtype=np.int64)}
    data = Dataset(
        X=np.arange(30.0)[:, None],
        y=y if labelled else None,
        name="toy",
        source="here",
        **(official if labelled else {}),
    )
    rows = make_split(data, random_state=seed)
    for chosen in (rows.train, rows.validation):
        X, labels = split_arrays(data, chosen)
        assert X[:, 0].tolist() == chosen.tolist()
        assert labels is None if not labelled else np.array_equal(labels, y[chosen])
    if labelled:
        arrays = split_arrays(data, rows.test)
        assert all(a is b for a, b in zip(arrays, official.values(), strict=True))


def test_the_share_of_an_unused_test_part_does_not_count():
    data = Dataset(X=np.zeros((50, 1)), X_test=np.ones((9, 1)), name="toy", source="here")
    assert len(make_split(data, validation=0.9, test=0.5).validation) == 45


def test_an_official_test_part_is_kept():
    data = Dataset(X=np.zeros((50, 1)), X_test=np.ones((9, 1)), name="toy", source="here")
    rows = make_split(data)
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
        make_split(Dataset(X=np.zeros((n, 1)), name="toy", source="here"), **options)
    assert text in str(error.value)
