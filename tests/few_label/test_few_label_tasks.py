"""Tasks of few-label learning, against scikit-learn, torch and real data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from cuello import Autoencoder, CuelloWarning, FewLabelClassifier, FewLabelRegressor
from cuello.data.splits import plain_folds
from cuello.few_label import HEAD_LOSSES, Binary, Multiclass, Multilabel, Regression

SEED = int(np.random.RandomState(0).randint(2**31 - 1))  # what random_state=0 comes to
FAST = {"learning_rates": (0.01,), "epochs": 25, "cv": 2}


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def encoder(digits):
    """Trained on all digits without their labels."""
    model = Autoencoder("plain", hidden=(64,), latent_dim=16, epochs=15, learning_rate=0.006)
    return FrozenEstimator(model.fit(digits.images))


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return X.astype(np.float32), y


@pytest.fixture(scope="module")
def table(diabetes):
    """Trained on all rows of a table."""
    return FrozenEstimator(Autoencoder("plain", latent_dim=8, epochs=60).fit(diabetes[0]))


def known(y, count, empty):
    """Keep the first labels alone."""
    return np.where(np.arange(len(y)).reshape(-1, *[1] * (y.ndim - 1)) < count, y, empty)


def properties(target):
    """Whether a digit is even, above 4, and written with a closed loop."""
    return np.stack([target % 2 == 0, target > 4, np.isin(target, (0, 6, 8, 9))], axis=1) * 1.0


@pytest.mark.parametrize("method", ["linear_probe", "fine_tune_slow"])
def test_one_of_many(digits, encoder, method):
    model = FewLabelClassifier(encoder, method=method, **FAST)
    model.fit(digits.images, known(digits.target, 200, -1))
    assert model.task_ == Multiclass(10)
    assert model.score(digits.images[200:], digits.target[200:]) > 0.7
    assert "10 classes" in model.summary_[0]
    some = digits.images[:9]
    found = (torch.from_numpy(model.scores(some)).double() / model.temperature_).softmax(1)
    np.testing.assert_allclose(model.predict_proba(some), found, atol=1e-9)


@pytest.mark.parametrize("method", ["linear_probe", "fine_tune_slow"])
def test_even_or_odd_is_one_sigmoid(digits, encoder, method):
    even = digits.target % 2
    model = FewLabelClassifier(encoder, method=method, **FAST).fit(
        digits.images, known(even, 200, -1)
    )
    assert model.task_ == Binary()
    assert model.held_out_scores_.shape == (200, 1)
    found = model.predict_proba(digits.images[200:])
    assert found.shape == (1597, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert model.score(digits.images[200:], even[200:]) > 0.8


@pytest.mark.parametrize("method", ["linear_probe", "fine_tune_slow"])
def test_several_properties_of_a_digit(digits, encoder, method):
    y = properties(digits.target)
    model = FewLabelClassifier(encoder, method=method, **FAST)
    model.fit(digits.images, known(y, 200, np.nan))
    assert model.task_ == Multilabel(3)
    found, truth = model.predict(digits.images[200:]), y[200:]
    majority = np.maximum(truth.mean(axis=0), 1 - truth.mean(axis=0))
    assert ((found == truth).mean(axis=0) > majority + 0.1).all()
    assert np.array_equal(found, model.predict_proba(digits.images[200:]) > 0.5)
    accuracy = ((model.held_out_scores_ > 0) == y[:200]).mean()
    assert model.cv_score_ == pytest.approx(accuracy, abs=0.01)  # folds are of nearly one size


@pytest.mark.parametrize("method", ["linear_probe", "fine_tune_slow"])
def test_a_number_beats_the_mean_and_comes_near_ridge_on_the_columns(diabetes, table, method):
    X, y = diabetes
    model = FewLabelRegressor(table, method=method, **FAST).fit(X, known(y, 150, np.nan))
    found = model.score(X[150:], y[150:])
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(0.01, 100, 5)))
    reference = ridge.fit(X[:150], y[:150]).score(X[150:], y[150:])
    assert found > 0.3
    assert found > reference - 0.15
    assert model.cv_score_ == pytest.approx(
        r2_score(y[:150], model.task_.link(model.held_out_scores_)), abs=1e-4
    )


def test_frozen_is_one_logistic_regression_a_property(digits, encoder):
    y = properties(digits.target)[:120]
    model = FewLabelClassifier(encoder, method="linear_probe").fit(digits.images[:120], y)
    codes = encoder.transform(digits.images[:120])
    codes = (codes - encoder.estimator.embedding_mean_) / encoder.estimator.embedding_scale_
    for column, p in zip(y.T, model.predict_proba(digits.images[:120]).T, strict=True):
        own = LogisticRegression(C=model.chosen_, max_iter=2000).fit(codes, column)
        np.testing.assert_allclose(p, own.predict_proba(codes)[:, 1], atol=1e-4)


def test_linear_probe_is_a_ridge_regression_for_numbers(diabetes, table):
    X, y = diabetes[0][:100], diabetes[1][:100]
    model = FewLabelRegressor(table, method="linear_probe").fit(X, y)
    codes = table.transform(X)
    codes = (codes - table.estimator.embedding_mean_) / table.estimator.embedding_scale_
    # Standardised labels and the penalty 1 / C a unit of them: the same as in their own units.
    own = Ridge(alpha=1 / model.chosen_).fit(codes, y)
    np.testing.assert_allclose(model.predict(X), own.predict(codes), rtol=1e-3)
    scores = {}
    for C in model.cv_scores_:
        found = np.empty(100)
        for a, b in plain_folds(100, 3, SEED):
            found[b] = Ridge(alpha=1 / C).fit(codes[a], y[a]).predict(codes[b])
        scores[C] = r2_score(y, found)
    assert model.cv_scores_ == pytest.approx(scores, abs=1e-4)
    assert model.chosen_ == max(scores, key=scores.get)


@given(
    scores=st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=6),
    y=st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6),
    mean=st.floats(20, 50),
    scale=st.floats(0.5, 5),
)
def test_losses_of_numbers_are_those_of_their_names(scores, y, mean, scale):
    s, t = np.array(scores), np.array(y[: len(scores)])
    error = s - t
    own = t * scale + mean
    expected = {
        "mse": np.mean(error**2),
        "mae": np.mean(np.abs(error)),
        "huber": np.mean(np.where(np.abs(error) < 1, error**2 / 2, np.abs(error) - 0.5)),
        "mape": np.mean(np.abs(s * scale + mean - own) / np.abs(own)),
    }
    assert set(expected) == set(HEAD_LOSSES)
    for name, value in expected.items():
        task = Regression(mean=mean, scale=scale, loss=name)
        x, target = torch.tensor(scores)[:, None], torch.tensor(y[: len(scores)])
        assert float(task.losses(x, target)[name]) == pytest.approx(value, rel=1e-4, abs=1e-5)


@settings(max_examples=30)
@given(
    logits=st.lists(st.floats(-30, 30, width=32), min_size=4, max_size=4), seed=st.integers(0, 9)
)
def test_binary_several_and_classes_agree_where_they_say_the_same(logits, seed):
    scores = torch.tensor(logits)[:, None]
    y = torch.from_numpy(np.random.default_rng(seed).integers(0, 2, 4))
    one = Binary().losses(scores, y)["bce"]
    torch.testing.assert_close(one, Multilabel(1).losses(scores, y.float()[:, None])["bce"])
    both = torch.cat([torch.zeros_like(scores), scores], dim=1)
    torch.testing.assert_close(one, Multiclass(2).losses(both, y)["cross_entropy"])
    p = Binary().link(scores.numpy())
    np.testing.assert_allclose(p, Multiclass(2).link(both.numpy()), atol=1e-9)
    np.testing.assert_allclose(p[:, 1], F.sigmoid(scores.double())[:, 0], atol=1e-9)
    assert Binary().score(scores.numpy(), y.numpy()) == Multiclass(2).score(both.numpy(), y.numpy())


def test_binary_and_classes_find_the_same_frozen_head(digits, encoder):
    X, y = digits.images[:100], digits.target[:100] % 2
    one = FewLabelClassifier(encoder, method="linear_probe").fit(X, y)
    two = FewLabelClassifier(encoder, method="linear_probe", task="multiclass").fit(X, y)
    assert (one.task_, two.task_) == (Binary(), Multiclass(2))
    assert one.cv_scores_ == two.cv_scores_
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-5)
    assert "as asked for" in two.summary_[0]


@given(n=st.integers(4, 40), cv=st.integers(2, 6), seed=st.integers(0, 99))
def test_plain_folds_are_a_partition_into_parts_of_two_or_more(n, cv, seed):
    parts = plain_folds(n, cv, seed)
    assert len(parts) == min(cv, n // 2)
    assert sorted(np.concatenate([b for _, b in parts])) == list(range(n))
    for a, b in parts:
        assert sorted([*a, *b]) == list(range(n))
        assert len(b) >= 2


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_numbers_do_not_depend_on_their_unit(diabetes, table, factor):
    X, y = diabetes[0][:60], diabetes[1][:60]
    for method in ("linear_probe", "fine_tune"):
        model = FewLabelRegressor(table, method=method, learning_rates=(0.01,), epochs=10)
        here, there = (clone(model).fit(X, y * unit + 7 * unit) for unit in (1.0, factor))
        np.testing.assert_allclose(there.predict(X), here.predict(X) * factor, rtol=2e-2)
        assert there.cv_score_ == pytest.approx(here.cv_score_, abs=1e-2)


@pytest.mark.parametrize("loss", HEAD_LOSSES)
@pytest.mark.parametrize("method", ["linear_probe", "fine_tune_slow"])
def test_every_loss_of_numbers_learns(diabetes, table, loss, method):
    X, y = diabetes
    model = FewLabelRegressor(table, method=method, head_loss=loss, weight_decay=0.01, **FAST)
    model.fit(X, known(y, 150, np.nan))
    assert model.score(X[150:], y[150:]) > 0.2
    assert (model.chosen_ in (0.01,)) == (method == "fine_tune_slow" or loss != "mse")
    assert f"loss {loss}" in model.summary_[0]


def test_a_property_that_all_labelled_rows_share_is_predicted_for_all(digits, encoder):
    y = properties(digits.target)[:60]
    y[:, 1] = 1
    with pytest.warns(CuelloWarning, match="property 1 is the same"):
        model = FewLabelClassifier(encoder, method="linear_probe").fit(digits.images[:60], y)
    p = model.predict_proba(digits.images)[:, 1]
    np.testing.assert_allclose(p, 61 / 62, rtol=1e-5)  # one row of each kind added


def test_an_autoencoder_that_a_method_does_not_start_from_is_not_trained(digits):
    X = digits.images[:300]
    wanted = Autoencoder("plain", hidden=(8,), latent_dim=4, epochs=2)
    options = FAST | {"method": "from_scratch", "epochs": 5}
    y = known(digits.target[:300] % 2, 100, -1)
    own = FewLabelClassifier(wanted, **options).fit(X, y)
    given_one = FewLabelClassifier(FrozenEstimator(clone(wanted).fit(X)), **options).fit(X, y)
    assert own.autoencoder_.history_ == []
    a, b = (m.predict_proba(X) for m in (own, given_one))
    assert np.array_equal(a, b)
