"""A tenth of wrong labels does not break any mode."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from cuello import Autoencoder, FewLabelClassifier, load
from cuello.few_label import METHODS

QUICK = {
    "auto": {"steps": 80},
    "mean_teacher": {"steps": 80},
    "random_forest": {"trees": 50},
    "ladder": {"epochs": 30, "hidden": [60, 30]},
}
CHOOSING = {"auto", "label_spreading", "linear_columns"}
"""Methods that choose more by folds than a rate of learning; others only take longer for them."""
PER_CLASS = 20


@pytest.fixture(scope="module")
def digits():
    """Rows of digits, as a table; the labels told of some; and rows to test on."""
    data = load("digits")
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(data.X))
    X, y = data.X[rows].reshape(len(rows), -1), data.y[rows]
    known = np.full(1200, -1)
    for c in range(10):
        known[rng.choice(np.flatnonzero(y[:1200] == c), PER_CLASS, replace=False)] = c
    autoencoder = Autoencoder(hidden=(64,), latent_dim=16, epochs=20, random_state=0).fit(X[:1200])
    return X[:1200], known, X[1200:], y[1200:], FrozenEstimator(autoencoder)


def with_wrong(known, share, seed=0):
    """Give this share of the labels another class."""
    rng = np.random.default_rng(seed)
    told = np.flatnonzero(known >= 0)
    wrong = rng.choice(told, round(share * len(told)), replace=False)
    changed = known.copy()
    changed[wrong] = (known[wrong] + rng.integers(1, 10, len(wrong))) % 10
    assert (changed != known).sum() == len(wrong)
    return changed


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_tenth_of_wrong_labels_costs_less_than_a_tenth_of_the_accuracy(digits, method):
    X, known, X_test, y_test, autoencoder = digits
    accuracy = {}
    for share in (0.0, 0.1):
        model = FewLabelClassifier(
            autoencoder,
            method=method,
            method_options=QUICK.get(method),
            learning_rates=(0.01,),
            epochs=30,
            weight_decay=0.01,
            cv=2 if method in CHOOSING else 0,
            random_state=0,
        ).fit(X, with_wrong(known, share))
        accuracy[share] = model.score(X_test, y_test)
    assert accuracy[0.1] > accuracy[0.0] - 0.1
    assert accuracy[0.1] > 0.75
