"""Labels and options that few-label learning refuses, warns of, or copes with."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.frozen import FrozenEstimator

from cuello import (
    Autoencoder,
    CuelloWarning,
    FewLabelClassifier,
    FewLabelRegressor,
    InputError,
)
from cuello.data.spelling import edit_distance, near_misses

X = np.random.default_rng(0).normal(size=(24, 6)).astype(np.float32)
NAMES = np.array(["trouser", "sandal"] * 12, dtype=object)
TWO = np.stack([np.arange(24) % 2, np.arange(24) % 3 == 0], axis=1) * 1.0


@pytest.fixture(scope="module")
def encoder():
    return FrozenEstimator(Autoencoder("plain", hidden=(), latent_dim=3, epochs=1).fit(X))


class NeverFitted(Autoencoder):
    """Refusals come before work starts."""

    def fit(self, *args, **options):
        raise AssertionError("training started")

    initialize = fit


def refused(estimator, y, *saying, **options):
    with pytest.raises(InputError) as caught:
        estimator(NeverFitted(), **options).fit(X, y)
    for piece in saying:
        assert piece in str(caught.value)


@pytest.mark.parametrize(
    ("y", "saying"),
    [
        (np.full(24, -1), ("no labels",)),
        (np.full(24, 4), ("one class only (4)", "two or more")),
        (np.where(np.arange(24) < 3, 4, -1), ("one class only (4)",)),
        (np.full((24, 2), np.nan), ("0 labelled samples",)),
        (TWO * 2, ("0 and 1",)),
        (np.where(np.arange(48).reshape(24, 2) == 5, np.nan, TWO), ("row 2", "every property")),
        (np.zeros((24, 2, 2)), ("(n, outputs)",)),
        (np.array([["a", "b"]] * 24), ("must hold numbers",)),
    ],
)
def test_labels_that_a_classifier_refuses(y, saying):
    refused(FewLabelClassifier, y, *saying)


@pytest.mark.parametrize(
    ("y", "saying"),
    [
        (np.full(24, np.nan), ("0 labels",)),
        (np.where(np.arange(24) == 3, 1.0, np.nan), ("1 label (",)),
        (np.full(24, 2.5), ("2.5 only",)),
        (NAMES, ("must hold numbers", "FewLabelClassifier")),
    ],
)
def test_labels_that_a_regressor_refuses(y, saying):
    refused(FewLabelRegressor, y, *saying)


@pytest.mark.parametrize(
    ("options", "saying"),
    [
        ({"task": "many"}, ("task='many'", "binary")),
        ({"task": "regression"}, ("FewLabelRegressor",)),
        ({"task": "multilabel"}, ("column for each property",)),
        ({"head_loss": "mae"}, ("head_loss='mae'", "FewLabelRegressor")),
        ({"cv": 1}, ("cv=1", "2 folds", "0 to hold nothing out")),
        ({"layer_decay": 0.0}, ("layer_decay=0.0",)),
        ({"layer_decay": 1.5}, ("layer_decay=1.5",)),
        ({"head_hidden": 0}, ("head_hidden=0", "1 or more")),
        ({"dropout": 1.0}, ("dropout=1.0", "below 1")),
        ({"batch_norm": True, "batch_size": 1}, ("batch_size=2",)),
        ({"method": "linear_prob"}, ("method='linear_prob'", "'linear_probe'")),
        (
            {"method": "fine_tune_slow", "method_options": {"depth": 3}},
            ("method_options='depth'", "none"),
        ),
    ],
)
def test_options_that_are_refused(options, saying):
    refused(FewLabelClassifier, NAMES, *saying, **options)


def test_tasks_that_do_not_fit_the_labels():
    refused(FewLabelClassifier, np.arange(24) % 3, "3", "task='multiclass'", task="binary")
    refused(FewLabelClassifier, TWO, "2 columns", "task='multilabel'", task="multiclass")
    refused(FewLabelRegressor, np.arange(24), "FewLabelClassifier", task="binary")
    refused(FewLabelRegressor, np.arange(24), "head_loss='rmse'", "mse", head_loss="rmse")
    refused(FewLabelRegressor, np.arange(24), "divides", "'huber'", head_loss="mape")


def test_a_kind_that_learns_from_classes_needs_some():
    with pytest.raises(InputError, match="kind='conditional' learns from classes"):
        FewLabelRegressor(Autoencoder("conditional")).fit(X, np.arange(24))


def test_minus_one_is_no_class_among_texts(encoder):
    y = [*NAMES[:20], -1, -1, -1, -1]
    model = FewLabelClassifier(encoder, method="linear_probe").fit(X, y)
    assert model.classes_.tolist() == ["sandal", "trouser"]
    assert len(model.held_out_scores_) == 20


@pytest.mark.parametrize("method", ["from_scratch", "linear_probe", "fine_tune_slow", "fine_tune"])
def test_all_rows_labelled_and_a_class_with_one_label(encoder, method):
    model = FewLabelClassifier(encoder, method=method, learning_rates=(0.01,), epochs=2)
    assert np.isfinite(model.fit(X, np.arange(24) % 3).held_out_scores_).all()
    with pytest.warns(CuelloWarning, match="single label"):
        model.fit(X, np.arange(24) == 5)
    assert model.predict(X).shape == (24,)


def test_two_numbers_are_too_few_to_hold_some_out(encoder):
    y = np.where(np.arange(24) < 2, np.arange(24), np.nan)
    with pytest.warns(CuelloWarning, match="there are only 2 labels"):
        model = FewLabelRegressor(encoder, method="linear_probe").fit(X, y)
    assert model.cv_scores_ == {}


def test_a_typing_error_is_named_with_what_it_is_nearest_to(encoder):
    y = NAMES.copy()
    y[0] = "trousre"
    with pytest.warns(CuelloWarning) as caught:
        FewLabelClassifier(encoder, method="linear_probe").fit(X, y)
    assert any(
        "'trousre' (1 samples)" in str(w.message) and "'trouser' (11 samples)" in str(w.message)
        for w in caught
    )


@pytest.mark.parametrize(
    ("rare", "common", "error"),
    [
        ("Sandal", "sandal", True),
        ("ankle_boot", "ankle boot", True),
        ("pulover", "pullover", True),
        ("pulovver", "pullover", True),
        ("sneeker", "sneaker", True),
        ("cat", "car", False),
        ("type a", "type b", False),
        ("class 10", "class 11", False),
        ("dress", "shirt", False),
        ("northern cape", "southern cape", True),
    ],
)
def test_what_looks_like_a_typing_error(rare, common, error):
    assert near_misses({rare: 1, common: 20, "something else": 9}) == [(rare, common)] * error


def test_a_label_that_is_not_rare_is_no_typing_error():
    assert near_misses({"trouser": 20, "trousre": 3}) == []
    assert near_misses({"trouser": 7, "trousre": 2}) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert near_misses({}) == []


words = st.text("abc", max_size=5)


@given(a=words, b=words, c=words)
def test_distance_counts_letters(a, b, c):
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))
    assert edit_distance(a + c, b + c) <= edit_distance(a, b)
    for i in range(len(a) - 1):
        swapped = a[:i] + a[i + 1] + a[i] + a[i + 2 :]
        assert edit_distance(a, swapped) == (a != swapped)
