"""Models of columns give what scikit-learn's give, whose trees and coefficients they hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from cuello import Autoencoder, FewLabelClassifier, FewLabelRegressor, InputError
from cuello.few_label.methods import columns

SMALL = Autoencoder(hidden=(8,), latent_dim=2, epochs=2)


def numbers():
    X, y = load_diabetes(return_X_y=True)
    return X, np.where(np.arange(len(y)) % 3 == 0, y, np.nan)


def classes(load=load_wine):
    X, y = load(return_X_y=True)
    return X, np.where(np.arange(len(y)) % 3 == 0, y, -1)


def properties():
    X, y = load_wine(return_X_y=True)
    both = np.stack([y == 0, y > 1], axis=1).astype(float)
    both[np.arange(len(y)) % 3 != 0] = np.nan
    return X, both


def scaled(model, X):
    return model.autoencoder_.scaling_.apply(X)


@pytest.mark.parametrize("data", [numbers, classes, properties])
@pytest.mark.parametrize("features", columns.FEATURES)
def test_a_forest_gives_the_mean_of_its_trees(monkeypatch, data, features):
    grown = []

    class Noted(RandomForestRegressor):
        def fit(self, table, targets):
            grown.append((self, table))
            return super().fit(table, targets)

    monkeypatch.setattr(columns, "RandomForestRegressor", Noted)
    monkeypatch.setattr(columns, "FEATURES", (features,))
    X, y = data()
    kind = FewLabelRegressor if data is numbers else FewLabelClassifier
    model = kind(SMALL, method="random_forest", cv=0).fit(X, y)
    assert model.chosen_ == features
    x = scaled(model, X)
    embeddings = model.autoencoder_.transform(X)
    table = {"columns": x, "embeddings": embeddings, "both": np.hstack([x, embeddings])}[features]
    (forest, learned), (labelled,) = grown[-1], np.nonzero(np.isfinite(y.reshape(len(y), -1)[:, 0]))
    if data is classes:
        labelled = np.flatnonzero(y >= 0)
    np.testing.assert_allclose(learned, table[labelled], atol=1e-6)
    expected = forest.predict(table).reshape(len(X), -1)
    scores = model.module_(torch.from_numpy(x)).double().numpy()
    if data is classes:
        np.testing.assert_allclose(np.exp(scores), expected + 1e-3, atol=1e-5)
        assert (model.predict(X) == model.classes_[expected.argmax(axis=1)]).all()
    elif data is properties:
        np.testing.assert_allclose(
            scores, np.log((expected + 1e-3) / (1 - expected + 1e-3)), atol=1e-3
        )
    else:
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_sample_at_a_threshold_goes_where_scikit_learn_sends_it():
    # Thresholds lie between two numbers of single precision, and are nearer to the upper one.
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2.0))
    network = columns._Forest.__new__(columns._Forest)
    torch.nn.Module.__init__(network)

    class Tree:
        node_count = 3
        children_left, children_right = np.array([1, -1, -1]), np.array([2, -1, -1])
        feature = np.array([0, -2, -2])
        threshold = np.array([float(low) + 0.9 * float(high - low), -2.0, -2.0])
        value = np.array([0.5, 0.0, 1.0])[:, None, None]

    assert np.float32(Tree.threshold[0]) == high, "rounded to the nearest it would be too high"
    for name in ("roots", "feature", "low", "high", "threshold", "value"):
        network.register_buffer(name, torch.zeros(0))
    network.take([Tree(), Tree()], np.arange(1))
    assert network.threshold[0] == low
    assert network.low.tolist() == [1, 1, 2, 4, 4, 5]
    assert network.high.tolist() == [2, 1, 2, 5, 4, 5]


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_a_linear_model_of_classes_is_a_logistic_regression(load):
    X, y = classes(load)
    model = FewLabelClassifier(SMALL, method="linear_columns").fit(X, y)
    x, known = scaled(model, X), y >= 0
    oracle = LogisticRegression(C=model.chosen_, max_iter=2000).fit(x[known], y[known])
    np.testing.assert_allclose(model.predict_proba(X), oracle.predict_proba(x), atol=1e-4)


def test_a_linear_model_of_numbers_is_a_ridge_regression():
    X, y = numbers()
    model = FewLabelRegressor(SMALL, method="linear_columns").fit(X, y)
    x, known = scaled(model, X), np.isfinite(y)
    mean, scale = y[known].mean(), y[known].std()
    oracle = Ridge(alpha=1 / model.chosen_).fit(x[known], (y[known] - mean) / scale)
    np.testing.assert_allclose(model.predict(X), oracle.predict(x) * scale + mean, rtol=1e-4)


@pytest.mark.parametrize("method", ["linear_columns", "random_forest"])
def test_images_have_no_columns(method):
    with pytest.raises(InputError, match=r"columns of a table.*\(4, 4\).*method='auto'"):
        FewLabelClassifier(SMALL, method=method).fit(np.zeros((9, 4, 4)), np.arange(9) % 2)
