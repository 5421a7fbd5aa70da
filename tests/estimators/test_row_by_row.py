"""Answers about a sample depend on the sample alone: not on its batch, nor on the order."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris

from cuello import AnomalyDetector, Autoencoder, FewLabelClassifier, FewLabelRegressor

pytestmark = pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")

DATA = {"table": load_iris().data, "image": load_digits().images[:200]}
SMALL = {"hidden": (8,), "latent_dim": 2, "epochs": 2}


def labels(X, *, numbers=False):
    y = np.where(np.arange(len(X)) < 60, np.arange(len(X)) % 2, -1)
    return np.where(y < 0, np.nan, y + X.reshape(len(X), -1).mean(axis=1)) if numbers else y


def autoencoder(X, kind="plain", **options):
    y = np.arange(len(X)) % 3 if kind == "conditional" else None
    return Autoencoder(kind, **SMALL | options).fit(X, y).transform


def classifier(X, **options):
    model = FewLabelClassifier(Autoencoder("plain", **SMALL), **options)
    return model.fit(X, labels(X)).predict_proba


def regressor(X, **options):
    model = FewLabelRegressor(Autoencoder("plain", **SMALL), **options)
    return model.fit(X, labels(X, numbers=True)).predict


def detector(X, **options):
    return AnomalyDetector(Autoencoder("plain", **SMALL), **options).fit(X).anomaly_scores


TRAINED = {"epochs": 3, "learning_rates": (0.01,)}
ESTIMATORS = {
    "plain": autoencoder,
    "batch normalisation and dropout": lambda X: autoencoder(X, batch_norm=True, dropout=0.2),
    "variational": lambda X: autoencoder(X, "variational"),
    "vector-quantised": lambda X: autoencoder(X, "vector-quantised"),
    "conditional": lambda X: autoencoder(X, "conditional"),
    "linear_probe": lambda X: classifier(X, method="linear_probe"),
    "fine_tune": lambda X: classifier(X, method="fine_tune", batch_norm=True, **TRAINED),
    "label_spreading": lambda X: classifier(X, method="label_spreading"),
    "mean_teacher": lambda X: classifier(
        X, method="mean_teacher", epochs=1, method_options={"steps": 5}
    ),
    "regression": lambda X: regressor(X, method="linear_probe"),
    "fine-tuned regression": lambda X: regressor(X, method="fine_tune", **TRAINED),
    "anomalies": detector,
    "anomalies by neighbours": lambda X: detector(X, method="neighbours"),
}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_answers_are_those_of_each_sample_alone_in_any_order(name, data):
    X = DATA[data]
    compute = ESTIMATORS[name](X)
    X = X[::3]
    together = compute(X)
    alone = np.concatenate([compute(sample[None]) for sample in X])
    order = np.random.default_rng(0).permutation(len(X))
    # Products of matrices of other sizes add in another order.
    close = {"rtol": 1e-4, "atol": 1e-4 * np.abs(together).max()}
    np.testing.assert_allclose(alone, together, **close)
    np.testing.assert_allclose(compute(X[order]), together[order], **close)
