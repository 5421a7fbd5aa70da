"""A class that is predicted for no sample is named, with the way out; no other is."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

import cuello
from cuello import Autoencoder, CuelloWarning
from cuello.few_label import METHODS, FewLabelClassifier
from cuello.few_label.unpredicted import find_unpredicted

NAMED = "is predicted for none of"
A, B, RARE, FAR, NONE = 0, 1, 2, 3, -1


@pytest.fixture(scope="module")
def encoder():
    return FrozenEstimator(Autoencoder("plain", latent_dim=2, epochs=5, hidden=(8,)).fit(rows()[0]))


def rows():
    """Return two clusters, A and B, one after the other; and three RARE beside the 24 of A."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2600, 4)).astype(np.float32)
    X[1300:] += 6.0
    y = np.full(len(X), NONE)
    y[:24], y[24:27], y[-24:] = A, RARE, B
    return X, y


def findings_of(model, X, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CuelloWarning)
        model.fit(X, y)
    return [str(w.message) for w in caught if NAMED in str(w.message)]


def probe(encoder, **options):
    return FewLabelClassifier(encoder, method="linear_probe", cv=0, **options)


def test_only_the_class_without_predictions_is_named(encoder):
    X, y = rows()
    model = probe(encoder)
    [finding] = findings_of(model, X, y)
    assert RARE not in model.predict(X)
    assert finding.startswith("class 2 (labels: 3) is predicted for none of 2,600 samples: ")
    assert "cuello suggest" in finding
    assert "another method" in finding


def test_one_prediction_anywhere_is_enough(encoder):
    X, y = rows()
    y[y == RARE] = A
    X[30], y[30] = 60.0, FAR
    model = probe(encoder)
    assert findings_of(model, X, y) == []
    assert (model.predict(X) == FAR).sum() == 1
    for place in range(0, len(X), 260):  # every sample is looked through before a class is named
        assert find_unpredicted(model, np.roll(X, place, axis=0)) == []


def test_a_property_that_no_sample_gets_is_named(encoder):
    X, y = rows()
    properties = np.column_stack([y == B, y == RARE]).astype(np.float64)
    properties[y == NONE] = np.nan
    [finding] = findings_of(probe(encoder), X, properties)
    assert finding.startswith("property 1 (labels: 3) is predicted for none of 2,600 samples: ")


@pytest.mark.parametrize("method", sorted(m for m in METHODS if METHODS[m].is_quick))
def test_a_classifier_that_learned_is_not_blamed(encoder, method):
    X, y = rows()
    some = np.r_[:60, len(X) - 60 : len(X)]
    classes = np.where(y == RARE, A, y)[some]
    model = FewLabelClassifier(encoder, method=method, cv=0, learning_rates=(0.1,))
    assert findings_of(model, X[some], classes) == []


def test_a_run_tells_it_in_metrics_notes_and_report(tmp_path):
    X, y = rows()
    some = np.r_[:200, len(X) - 200 : len(X)]
    np.savez(tmp_path / "data.npz", X=X[some], y=np.array(["a", "b", "rare", ""])[y[some]])
    options = {"latent_dim": 2, "epochs": 5, "hidden": (8,), "method": "linear_probe"}
    folder = cuello.fit(tmp_path / "data.npz", out=tmp_path / "run", **options)
    [finding] = [f for f in folder.metrics()["findings"] if NAMED in f]
    assert finding.startswith("class rare (labels: 3) is predicted for none of 400 samples: ")
    assert finding in folder.config()["notes"]
    assert f'role="alert">{finding}' in folder.report.read_text()
