"""Tables in other units: the columns' scales and shifts change no result."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

import cuello
from cuello import AnomalyDetector, Autoencoder, FewLabelClassifier, FewLabelRegressor
from cuello.anomalies import SCORES
from cuello.data.scaling import Scaling
from cuello.few_label import METHODS
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


def detector(kind, X):
    return AnomalyDetector(small(kind)).fit(X).single_scores(X)


@functools.cache
def expected(compute, *options):
    return compute(*options, table())


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=10, deadline=None)
@given(units=UNITS)
def test_every_kind(kind, units):
    found = embeddings(kind, in_units(table(), units))
    np.testing.assert_allclose(found, expected(embeddings, kind), atol=1e-4)


@pytest.mark.parametrize("kind", ["plain", "variational"])
@settings(max_examples=10, deadline=None)
@given(units=UNITS)
def test_every_score(kind, units):
    found = detector(kind, in_units(table(), units))
    without = {"edges"} if kind == "variational" else {"edges", "likelihood"}
    assert found.keys() >= SCORES.keys() - without
    for name, scores in found.items():
        np.testing.assert_allclose(scores, expected(detector, kind)[name], rtol=1e-3, atol=1e-3)


def predictions(method, X):
    y = np.where(np.arange(len(X)) < 30, classes(X), -1)
    options = {"method": method, "cv": 0, "learning_rates": (0.01,), "epochs": 2, "max_time": 1e-3}
    found = [FewLabelClassifier(small(), **options).fit(X, y).predict_proba(X)]
    if not METHODS[method].single_label_only:
        numbers = np.where(y < 0, np.nan, 1.0 * y)
        found.append(FewLabelRegressor(small(), **options).fit(X, numbers).predict(X)[:, None])
    return np.concatenate(found, axis=1)


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"ladder", "mean_teacher", "auto"}))
@settings(max_examples=5, deadline=None)
@given(units=UNITS)
def test_few_labels(method, units):
    found = predictions(method, in_units(table(), units))
    np.testing.assert_allclose(found, expected(predictions, method), atol=1e-3)


def write_table(path, X):
    if path.suffix == ".npy":
        np.save(path, X)
        return
    named = {f"c{k}": column for k, column in enumerate(X.T)}
    if path.suffix == ".parquet":
        pq.write_table(pa.table(named), path)
    else:
        cells = [",".join(map(repr, row)) for row in X.tolist()]
        path.write_text("\n".join([",".join(named), *cells]))


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    @functools.cache
    def fit(suffix, dtype, offset):
        place = tmp_path_factory.mktemp("units")
        X = (np.arange(120)[:, None] * np.array([1, 2, 3]) % np.array([500, 97, 31])).astype(dtype)
        write_table(place / f"data{suffix}", X + np.array([offset, 0, 0]).astype(dtype))
        options = {"hidden": (6,), "latent_dim": 2, "epochs": 1, "kind": "variational"}
        return place, cuello.fit(place / f"data{suffix}", out=place / "run", **options)

    return fit


@pytest.mark.parametrize("dtype", ["int64", "float64"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy"])
def test_a_file_keeps_the_digits_of_a_large_offset(run_of, suffix, dtype):
    offset = 1_700_000_000
    (place, near), (far_place, far) = (run_of(suffix, dtype, start) for start in (0, offset))
    error, far_error = (folder.metrics()["reconstruction"]["test_mse"] for folder in (near, far))
    assert far_error == pytest.approx(error, abs=1e-4 * error)
    near, far = (cuello.open_run(folder.path) for folder in (near, far))
    data, far_data = near.load(place / f"data{suffix}"), far.load(far_place / f"data{suffix}")
    one = [run.autoencoder for run in (near, far)]
    np.testing.assert_allclose(one[1].transform(far_data.X), one[0].transform(data.X), atol=1e-4)
    apart = one[1].reconstruct(far_data.X) - one[0].reconstruct(data.X)
    np.testing.assert_allclose(apart, np.tile([offset, 0, 0], (len(data), 1)), atol=0.01)
    scores = [run.detector.anomaly_scores(d.X) for run, d in ((near, data), (far, far_data))]
    np.testing.assert_allclose(scores[1], scores[0], atol=0.01)  # they count held-out samples
    far.training_data()  # refuses what has other embeddings than those that were stored


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
