"""Augmentation, length of training and weight decay are chosen by cross-validation."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from cuello import Autoencoder, FewLabelClassifier
from cuello.errors import InputError

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


@functools.cache
def autoencoder_of(content, shape):
    X = np.frombuffer(content, np.float32).reshape(shape)
    return Autoencoder(hidden=(32,), latent_dim=6, epochs=8, batch_size=16).fit(X)


def fitted(X, y, **options):
    """Fit with one rate, and nothing to choose but the options that are ``auto``."""
    options = {"epochs": 60, "weight_decay": 0.01, "augment": None, **options}
    return FewLabelClassifier(
        FrozenEstimator(autoencoder_of(X.tobytes(), X.shape)),
        **{"method": "from_scratch", "learning_rates": (0.01,), **options},
    ).fit(X, y)


def test_images_are_changed_where_held_out_labels_gain_by_it():
    X, y = strokes(24, 0, moved=True)
    model = fitted(X, y, augment="auto")
    plain, changed = model.cv_scores_[0.01], model.cv_scores_["0.01, images augmented"]
    assert changed > plain
    assert model.chosen_ == "0.01, images augmented"
    assert "Learning rate 0.01, images augmented: accuracy" in " ".join(model.summary_)
    assert model.cv_score_ == changed


def test_images_stay_as_they_are_where_nothing_is_gained():
    model = fitted(*strokes(24, 0, moved=False), augment="auto")
    assert model.cv_scores_ == {0.01: 1.0, "0.01, images augmented": 1.0}
    assert model.chosen_ == 0.01


@pytest.mark.parametrize("augment", [None, "shift=0.1"])
def test_what_is_given_is_not_compared(augment):
    model = fitted(*strokes(24, 0, moved=True), augment=augment)
    assert set(model.cv_scores_) == {0.01}


def test_a_table_has_no_images_to_change():
    X, y = strokes(24, 0, moved=True)
    assert set(fitted(X.reshape(24, -1), y, augment="auto").cv_scores_) == {0.01}


@pytest.mark.parametrize(
    "method",
    [
        "from_scratch",
        pytest.param("fine_tune_slow", marks=pytest.mark.long),
        pytest.param("fine_tune", marks=pytest.mark.long),
    ],
)
def test_learning_three_times_as_long_is_tried_and_is_that(method, monkeypatch):
    auto = 50  # 24 rows are one step an epoch
    monkeypatch.setattr("cuello.few_label.options._DEFAULT_STEPS", auto)
    X, y = strokes(24, 0, moved=True)
    rates = {"learning_rates": (0.001,), "method": method}
    model = fitted(X, y, epochs="auto", **rates)
    assert model.cv_scores_ == {
        0.001: fitted(X, y, epochs=auto, **rates).cv_score_,
        "0.001, 3 times the epochs": fitted(X, y, epochs=3 * auto, **rates).cv_score_,
    }


def test_more_weight_decay_is_tried_and_is_that():
    X, y = strokes(24, 0, moved=True)
    model = fitted(X, y, weight_decay="auto")
    assert model.cv_scores_ == {
        0.01: fitted(X, y).cv_score_,
        "0.01, weight decay 1": fitted(X, y, weight_decay=1.0).cv_score_,
    }


def test_each_turn_is_tried_once_upon_the_best_so_far(monkeypatch):
    monkeypatch.setattr("cuello.few_label.options._DEFAULT_STEPS", 50)
    X, y = strokes(24, 0, moved=True)
    left = {"augment": "auto", "epochs": "auto", "weight_decay": "auto"}
    model = fitted(X, y, learning_rates=(0.001, 0.01), **left)
    names = [str(name) for name in model.cv_scores_]
    assert len(names) == 2 + 3
    best = max(names[:2], key=lambda name: model.cv_scores_[float(name)])
    for name, turn in zip(
        names[2:], ("images augmented", "3 times the epochs", "weight decay 1"), strict=True
    ):
        assert name == f"{best}, {turn}"
        if model.cv_scores_[name] > model.cv_scores_.get(best, model.cv_scores_.get(_rate(best))):
            best = name
    assert str(model.chosen_) == best


def _rate(name):
    return float(name) if "," not in name else None


def test_weight_decay_is_a_number_or_auto():
    X, y = strokes(24, 0, moved=True)
    with pytest.raises(InputError, match="weight_decay='much' must be 0 or more, or 'auto'"):
        fitted(X, y, weight_decay="much")
