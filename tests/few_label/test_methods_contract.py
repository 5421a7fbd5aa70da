"""The contract of methods of learning from few labels, over all that are registered."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from cuello import Autoencoder, FewLabelClassifier, FewLabelRegressor, InputError
from cuello.few_label import METHODS
from cuello.few_label.estimator import classifier_of, record_classifier, tensors_of_classifier

SMALL = Autoencoder(
    kind="plain", hidden=(12,), latent_dim=4, epochs=8, batch_size=32, linear_skip=False
)
QUICK = {
    "auto": {"steps": 15},
    "mean_teacher": {"steps": 15},
    "ladder": {"epochs": 50, "hidden": [32, 16]},
}
"""Options that make a method fast; one that is not listed takes its defaults."""
BRIEF = {"auto": {"steps": 4}, "mean_teacher": {"steps": 4}, "ladder": {"epochs": 6}}
"""Where it need not learn anything."""
UNLABELLED = sorted(name for name, method in METHODS.items() if method.uses_unlabelled)


def clouds(classes=3, n=150, seed=0):
    """One cloud a class, well apart; six labels of each class: two a fold."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    X = 5.0 * rng.normal(size=(classes, 8))[y] + rng.normal(size=(n, 8))
    known = np.full(n, -1)
    for c in range(classes):
        rows = np.flatnonzero(y == c)[:6]
        known[rows] = c
    return X.astype(np.float32), y, known


@pytest.fixture(scope="module")
def trained():
    return clone(SMALL).fit(clouds()[0])


def use(autoencoder, method, **options):
    options = {
        "method_options": QUICK.get(method),
        "learning_rates": (0.01,),
        "epochs": 20,
    } | options
    return FewLabelClassifier(FrozenEstimator(autoencoder), method=method, **options)


@pytest.fixture(scope="module")
def fitted(trained):
    """Models by method and number of classes, each fitted once to its clouds."""

    @functools.cache
    def fit(method, classes=3):
        X, _, known = clouds(classes)
        return use(trained, method).fit(X, known)

    return fit


@pytest.mark.parametrize("method", sorted(METHODS))
def test_what_others_read_of_a_method(method):
    entry = METHODS[method]
    assert entry.name == method
    assert [m.display_name for m in METHODS.values()].count(entry.display_name) == 1
    assert len(entry.display_name) <= 26, "the terminal's table has no room for more"
    assert entry.summary.endswith(".")
    for name, option in entry.options.items():
        assert option.name == name
        assert option.help.endswith(".")
        assert option.type


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_clouds_are_told_apart_and_the_model_has_a_summary(fitted, method, classes):
    X, y, known = clouds(classes)
    model = fitted(method, classes)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (len(X), classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    # An embedding of few epochs may not separate all clouds; the samples themselves do.
    assert model.score(X, y) > (0.85 if METHODS[method].uses_unlabelled else 1 / classes + 0.15)
    assert model.summary_
    assert all(line.endswith(".") for line in model.summary_)
    assert model.method_ in METHODS
    labelled = int((known >= 0).sum())
    assert model.held_out_scores_.shape == (labelled, model.task_.outputs)
    assert np.isfinite(model.held_out_scores_).all()
    held_out = [(model.held_out_scores_, known[known >= 0])]
    assert model.task_.cv_score(held_out) == pytest.approx(model.cv_score_)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_same_seed_gives_the_same_model_and_another_seed_another(trained, method):
    X, _, known = clouds()
    brief = {"epochs": 5, "cv": 2, "method_options": BRIEF.get(method)}
    first, again = (use(trained, method, **brief).fit(X, known) for _ in range(2))
    assert np.array_equal(first.scores(X), again.scores(X))
    assert np.array_equal(first.held_out_scores_, again.held_out_scores_)
    if method in ("auto", "label_spreading"):
        return  # draws nothing but its folds, which may all be right
    other = use(trained, method, random_state=1, **brief).fit(X, known)
    assert not np.array_equal(first.held_out_scores_, other.held_out_scores_)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_stored_model_gives_the_same_scores(trained, fitted, method, classes):
    X = clouds(classes)[0]
    model = fitted(method, classes)
    record = json.loads(json.dumps(record_classifier(model)))
    weights = {k: v.clone() for k, v in tensors_of_classifier(model).items()}
    rebuilt = classifier_of(record, weights, trained)
    np.testing.assert_array_equal(rebuilt.scores(X), model.scores(X))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_with_nothing_held_out_nothing_is_estimated(trained, fitted, method):
    X, _, known = clouds()
    model = use(trained, method, cv=0).fit(X, known)
    assert np.isnan(model.held_out_scores_).all()
    assert np.isnan(model.cv_score_)
    assert model.accuracy_estimate_ is None
    assert "held out" in " ".join(model.summary_)
    assert "fold" not in " ".join(model.summary_)
    if len(fitted(method).cv_scores_) == 1 and method != "auto":
        # Where there is one candidate, folds only evaluate it.
        assert np.array_equal(model.scores(X), fitted(method).scores(X))


@pytest.mark.parametrize("method", UNLABELLED)
def test_samples_without_a_label_are_used(trained, fitted, method):
    if method == "auto":
        pytest.skip("what it uses depends on the method that it keeps")
    X, _, known = clouds()
    model = fitted(method)
    moved = X.copy()
    moved[known < 0] += 1.0
    other = use(trained, method).fit(moved, known)
    assert not np.array_equal(model.scores(X[:10]), other.scores(X[:10]))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_held_out_score_is_independent_of_its_own_label(trained, method):
    """A wrong label cannot be predicted by a network that has not seen it."""
    X, _, known = clouds()
    row = np.flatnonzero(known == 0)[0]
    wrong = known.copy()
    wrong[row] = 1
    learned = {"method_options": {"steps": 300}} if method == "mean_teacher" else {}
    model = use(trained, method, **learned).fit(X, wrong)
    at = int((known[:row] >= 0).sum())
    assert model.held_out_scores_[at].argmax() != 1


@pytest.mark.parametrize(
    ("method", "options", "named"),
    [
        ("mean_teacher", {"steps": 0}, "steps"),
        ("mean_teacher", {"threshold": 1.0}, "threshold"),
        ("mean_teacher", {"perturbation": -1.0}, "perturbation"),
        ("mean_teacher", {"network": "deep"}, "network"),
        ("mean_teacher", {"network": "conv"}, "network='conv'"),
        ("label_spreading", {"neighbours": 0}, "neighbours"),
        ("ladder", {"hidden": []}, "hidden"),
        ("ladder", {"epochs": 0}, "epochs"),
        ("auto", {"threshold": 2}, "threshold"),
        ("auto", {"hidden": [3]}, "hidden"),
    ],
)
def test_options_of_a_method_are_refused_before_the_autoencoder_is_trained(method, options, named):
    X, _, known = clouds()
    model = FewLabelClassifier(SMALL, method=method, method_options=options)
    with pytest.raises(InputError, match=named):
        model.fit(X, known)
    assert not hasattr(model, "module_")
    assert not hasattr(getattr(model, "autoencoder_", None), "module_")


@pytest.mark.parametrize(
    "method", sorted(name for name, m in METHODS.items() if m.single_label_only)
)
def test_numbers_are_refused_where_samples_have_one_class(method):
    X, y, _ = clouds()
    with pytest.raises(InputError, match="use method='fine_tune_slow'"):
        FewLabelRegressor(SMALL, method=method).fit(X, y.astype(float))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_sequences_of_different_lengths_are_read_or_refused_at_once(method):
    quick = {"auto": {"steps": 3}, "mean_teacher": {"steps": 3}, "ladder": {"epochs": 3}}
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = np.sin(np.arange(7) * (0.3 + y[:, None]) + rng.random((40, 1)))[..., None]
    ragged = X.astype(np.float32)
    ragged[1::3, 5:] = np.nan
    encoder = Autoencoder(network="sequence", hidden=(4,), latent_dim=2, epochs=1)
    model = FewLabelClassifier(
        encoder,
        method=method,
        method_options=quick.get(method),
        learning_rates=(0.01,),
        epochs=2,
        cv=2,
    )
    known = np.where(np.arange(40) < 12, y, -1)
    if METHODS[method].tables_only:
        with pytest.raises(InputError, match=r"columns of a table.*method='auto'"):
            model.fit(ragged, known)
        return
    if METHODS[method].fixed_length:
        with pytest.raises(InputError, match=r"sequences of one length.*method='auto'"):
            model.fit(ragged, known)
        assert not hasattr(model.autoencoder_, "module_")
        ragged = np.nan_to_num(ragged)
    assert np.isfinite(model.fit(ragged, known).scores(ragged)).all()
