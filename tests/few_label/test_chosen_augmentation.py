"""Whether images are changed while they are learned is chosen inside the labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from cuello import Autoencoder, FewLabelClassifier

SIDE = 12


def strokes(n, seed, *, moved):
    """Upright and level bars; anywhere, or each class in one place."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = np.zeros((n, SIDE, SIDE), dtype=np.float32)
    for i, (own, place) in enumerate(zip(y, rng.integers(1, SIDE - 2, n), strict=True)):
        middle = place if moved else SIDE // 2
        if own:
            X[i, middle : middle + 2, 2:-2] = 1.0
        else:
            X[i, 2:-2, middle : middle + 2] = 1.0
    return X + 0.05 * rng.random(X.shape, dtype=np.float32), y


def fitted(X, y, **options):
    autoencoder = Autoencoder(hidden=(32,), latent_dim=6, epochs=8, batch_size=16).fit(X)
    return FewLabelClassifier(
        FrozenEstimator(autoencoder), mode="scratch", learning_rates=(0.01,), **options
    ).fit(X, y)


def test_images_are_changed_where_held_out_labels_gain_by_it():
    X, y = strokes(24, 0, moved=True)
    model = fitted(X, y)
    plain, changed = model.cv_scores_[0.01], model.cv_scores_["0.01, images changed"]
    assert changed > plain
    assert model.chosen_ == "0.01, images changed"
    assert "Learning rate 0.01, images changed: accuracy" in " ".join(model.said_)
    assert model.cv_score_ == changed


def test_images_stay_as_they_are_where_nothing_is_gained():
    model = fitted(*strokes(24, 0, moved=False))
    assert model.cv_scores_ == {0.01: 1.0, "0.01, images changed": 1.0}
    assert model.chosen_ == 0.01


@pytest.mark.parametrize("augment", [None, "shift=0.1"])
def test_what_is_asked_for_is_not_compared(augment):
    model = fitted(*strokes(24, 0, moved=True), augment=augment)
    assert set(model.cv_scores_) == {0.01}


def test_a_table_has_no_images_to_change():
    X, y = strokes(24, 0, moved=True)
    assert set(fitted(X.reshape(24, -1), y).cv_scores_) == {0.01}
