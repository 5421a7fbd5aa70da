"""Temperature of a classifier, and the estimate of its own accuracy."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from cuello import Autoencoder, CuelloWarning, FewLabelClassifier, metrics
from cuello.few_label import METHODS, Binary, Multiclass, Multilabel, Regression
from cuello.few_label.cross_validation import assess

SMALL = Autoencoder("plain", hidden=(32,), latent_dim=8, epochs=15, learning_rate=0.003)


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def encoder(digits):
    return FrozenEstimator(clone(SMALL).fit(digits.images))


@st.composite
def held_out(draw):
    """Scores of a head and true classes, mostly right or mostly wrong."""
    task = draw(st.sampled_from([Binary(), Multiclass(2), Multiclass(4)]))
    n = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    y = rng.integers(0, task.classes, n)
    right = draw(st.floats(0.0, 6.0)) * np.eye(task.classes)[y]
    scores = torch.from_numpy(right + draw(st.floats(0.1, 9.0)) * rng.normal(size=right.shape))
    return task, task.from_classes(scores).numpy().astype(np.float32), y


@given(case=held_out(), temper=st.booleans())
@pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")
def test_predictions_may_become_less_confident_and_stay_the_same(case, temper):
    task, scores, y = case
    temperature, estimate, summary = assess(task, scores, y, find_temperature=temper)
    assert temperature >= 1.0
    if not temper:
        assert temperature == 1.0
    raw, p = task.link(scores), task.link(scores, temperature)
    assert np.array_equal(p.argmax(axis=1), raw.argmax(axis=1))
    assert (p.max(axis=1) <= raw.max(axis=1) + 1e-12).all()
    both = task.to_classes(torch.from_numpy(scores)).numpy()
    if temper:
        assert temperature == max(1.0, metrics.temperature(both, y))
    low, high = estimate.low, estimate.high
    assert low <= estimate.estimate == (both.argmax(axis=1) == y).mean() <= high
    assert any(f"{100 * estimate.estimate:.1f} %" in line for line in summary)
    assert any(f" {len(y)} labelled samples" in line for line in summary)
    error = metrics.expected_calibration_error(p, y, max(round(len(y) / 20), 2))
    assert f"{100 * error:.1f} points" in " ".join(summary)


@given(n=st.integers(1, 400), share=st.floats(0.0, 1.0))
def test_a_wide_interval_is_warned_of(n, share):
    y = (np.arange(n) >= round(share * n)).astype(np.int64)
    interval = metrics.accuracy_interval(round(share * n), n)
    width = interval.high - interval.low
    assume(abs(width - 0.2) > 1e-9)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assess(Multiclass(2), np.repeat([[9.0, 0.0]], n, axis=0), y, find_temperature=False)
    assert len(caught) == (width > 0.2)
    if caught:
        text = str(caught[0].message)
        enough = int(re.search(r"about (\d+) would", text).group(1))
        assert n < enough <= 100
        better = metrics.accuracy_interval(round(interval.estimate * enough), enough)
        assert better.high - better.low <= 0.2
    assert (width > 0.2) or n > 12
    assert (width <= 0.2) or n < 300


@pytest.mark.parametrize(
    ("task", "scores"),
    [
        (Multiclass(2), np.full((9, 2), np.nan, np.float32)),
        (Multiclass(2), np.empty((0, 2), np.float32)),
        (Multilabel(2), np.zeros((9, 2), np.float32)),
        (Regression(), np.zeros((9, 1), np.float32)),
    ],
)
def test_nothing_is_said_where_nothing_was_held_out_or_labels_are_no_classes(task, scores):
    found = assess(task, scores, np.zeros(len(scores), np.int64), find_temperature=True)
    assert found == (1.0, None, [])


def test_which_methods_are_tempered():
    assert {name for name, method in METHODS.items() if not method.overconfident} == {
        "linear_probe",
        "label_spreading",
        "linear_columns",
        "random_forest",
    }


def fit(encoder, digits, method, count, **options):
    y = np.full(len(digits.target), -1)
    rows = np.random.default_rng(0).permutation(len(y))[:count]
    y[rows] = digits.target[rows]
    model = FewLabelClassifier(encoder, method=method, learning_rates=(0.03,), cv=2, **options)
    return model.fit(digits.images, y)


@pytest.mark.parametrize("method", ["fine_tune_slow", "linear_probe", "label_spreading"])
def test_probabilities_are_tempered_and_scores_are_not(digits, encoder, method):
    model = fit(encoder, digits, method, 60, epochs=40)
    X = digits.images[:300]
    scores, p = model.scores(X), model.predict_proba(X)
    if METHODS[method].overconfident:
        y = model.held_out_labels_
        assert model.temperature_ == max(1.0, metrics.temperature(model.held_out_scores_, y))
    else:
        assert model.temperature_ == 1.0
    model.temperature_ = 3.0
    softer = model.predict_proba(X)
    expected = torch.from_numpy(scores).double().div(3.0).softmax(dim=1)
    np.testing.assert_allclose(softer, expected, atol=1e-12)
    assert (softer.max(axis=1) < p.max(axis=1)).all()
    assert np.array_equal(model.predict(X), softer.argmax(axis=1))
    assert np.array_equal(model.predict(X), scores.argmax(axis=1))
    assert np.array_equal(model.scores(X), scores)


def test_the_estimate_is_the_accuracy_of_the_held_out_rows(digits, encoder):
    model = fit(encoder, digits, "linear_probe", 300)
    right = int((model.held_out_scores_.argmax(axis=1) == model.held_out_labels_).sum())
    assert model.accuracy_estimate_ == metrics.accuracy_interval(right, 300)
    rest = np.random.default_rng(0).permutation(1797)[300:]
    low, high = model.accuracy_estimate_[1:]
    assert low < model.score(digits.images[rest], digits.target[rest]) < high


def test_few_labels_are_warned_of_and_many_are_not(digits, encoder):
    y = np.full(1797, -1)
    y[:300] = digits.target[:300]
    model = FewLabelClassifier(encoder, method="linear_probe", task="multiclass")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(digits.images, y)
    twelve = np.full(1797, -1)
    for c in (0, 1):
        twelve[np.flatnonzero(digits.target == c)[:6]] = c
    with pytest.warns(CuelloWarning, match=r"12 labels are few .* about \d+ would narrow"):
        model.fit(digits.images, twelve)


def wrong_labels(y, share, rng):
    """Return labels of which a share is wrong, never one that was right before."""
    wrong = rng.choice(len(y), round(share * len(y)), replace=False)
    told = y.copy()
    told[wrong] = (y[wrong] + rng.integers(1, 10, len(wrong))) % 10
    return told


@pytest.mark.parametrize(
    ("method", "options"),
    [("label_spreading", None), ("mean_teacher", {"steps": 60, "network": "dense"})],
)
def test_one_wrong_label_in_ten_does_not_break_it(digits, encoder, method, options):
    rng = np.random.default_rng(0)
    rows = rng.permutation(1797)[:900]
    X, truth = digits.images[rows], digits.target[rows]
    accuracies = []
    for told in (truth[:100], wrong_labels(truth[:100], 0.1, rng)):
        y = np.concatenate([told, np.full(len(rows) - 100, -1)])
        model = FewLabelClassifier(encoder, method=method, cv=2, method_options=options).fit(X, y)
        accuracies.append(model.score(digits.images, digits.target))
    assert accuracies[0] > 0.85
    assert accuracies[1] > accuracies[0] - 0.1
