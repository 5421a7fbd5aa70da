"""The classifier for few labels and what it has to beat, against oracles of scikit-learn."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from cuello import Autoencoder, CuelloWarning, FewLabelClassifier
from cuello.data.splits import stratified_folds
from cuello.estimators.baselines import INVERSE_PENALTIES, fit_pca
from cuello.few_label import METHODS, FewLabelOptions, Multiclass
from cuello.few_label.estimator import classifier_of, record_classifier, tensors_of_classifier
from cuello.few_label.methods.fine_tuning import EncoderWithHead, FineTuning
from cuello.kinds import Batch
from cuello.train import Rows, train
from cuello_labs._few_label_methods import fit_knn_pixels, fit_pca_logistic

SMALL = Autoencoder(kind="plain", hidden=(6,), latent_dim=3, dropout=0.3, epochs=4, batch_size=32)
TRANSFER = sorted(name for name, method in METHODS.items() if isinstance(method, FineTuning))
SEED = int(np.random.RandomState(0).randint(2**31 - 1))  # what random_state=0 comes to


def blobs(classes=3, n=60, seed=0):
    """Overlapping clouds, one a class, far from zero and of unlike widths."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    X = rng.normal(size=(classes, 8))[y] + 0.8 * rng.normal(size=(n, 8))
    return (X * np.geomspace(1, 50, 8) + 20).astype(np.float32), y


@pytest.fixture(scope="module")
def trained():
    return clone(SMALL).fit(blobs(n=200, seed=1)[0])


def use(autoencoder, method, **options):
    return FewLabelClassifier(FrozenEstimator(autoencoder), method=method, **options)


def start_of(model, seed=SEED):
    """Return the network that a fitted model's method starts from."""
    return model.build_module(seed)


def weights(module):
    return {k: v.clone() for k, v in module.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def choose_penalty(codes, y, parts):
    """Return the logistic regression with the best mean accuracy on held-out folds, and that."""

    def accuracy(C):
        models = [LogisticRegression(C=C, max_iter=2000).fit(codes[a], y[a]) for a, _ in parts]
        return np.mean([m.score(codes[b], y[b]) for m, (_, b) in zip(models, parts, strict=True)])

    scores = {C: accuracy(C) for C in INVERSE_PENALTIES}
    best = max(scores, key=scores.get)
    return LogisticRegression(C=best, max_iter=2000).fit(codes, y), scores


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_probe_is_a_logistic_regression_on_standardized_embeddings(trained, classes):
    X, y = blobs(classes)
    model = use(trained, "linear_probe").fit(X, y)
    codes = (trained.transform(X) - trained.embedding_mean_) / trained.embedding_scale_
    expected, scores = choose_penalty(codes, y, stratified_folds(y, 3, SEED))
    assert model.cv_scores_ == pytest.approx(scores)
    assert (model.chosen_, model.cv_score_) == (expected.C, pytest.approx(max(scores.values())))
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(codes), atol=1e-4)
    assert np.array_equal(model.predict(X), expected.predict(codes))


def test_embedding_statistics_are_those_of_the_training_rows(trained):
    X = blobs(n=200, seed=1)[0]
    order = np.random.default_rng(SEED).permutation(200)[20:]  # the first tenth is held out
    codes = trained.transform(X[order])
    np.testing.assert_allclose(trained.embedding_mean_, codes.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(trained.embedding_scale_, codes.std(axis=0), rtol=1e-5)


@pytest.mark.parametrize("method", TRANSFER)
def test_rows_without_a_label_teach_the_autoencoder_alone(trained, method):
    X, y = blobs()
    some = np.where(np.arange(60) % 2, y, -1)
    options = {"learning_rates": (0.01,), "epochs": 3}
    all_rows = use(trained, method, **options).fit(X, some)
    known = use(trained, method, **options).fit(X[some >= 0], y[some >= 0])
    assert all_rows.classes_.tolist() == [0, 1, 2]
    assert equal(weights(all_rows.module_), weights(known.module_))
    own = FewLabelClassifier(SMALL, method=method, **options).fit(X, some)
    untrained = method == "from_scratch"
    alone = clone(SMALL).initialize(X) if untrained else clone(SMALL).fit(X)
    assert equal(weights(own.autoencoder_.module_), weights(alone.module_))
    assert not hasattr(SMALL, "module_")


@pytest.mark.parametrize("method", TRANSFER)
def test_what_a_mode_starts_from_and_what_it_moves(trained, method):
    X, y = blobs()
    before = weights(trained.module_)
    model = use(trained, method, encoder_lr_factor=0.3, learning_rates=(0.01,), epochs=2).fit(X, y)
    start = start_of(model)
    source = trained.build_module(SEED) if method == "from_scratch" else trained.module_
    assert equal(weights(start.body.encoder), weights(source.encoder))
    moved = not equal(weights(model.module_.body.encoder), weights(start.body.encoder))
    assert moved == (method != "linear_probe")
    assert not equal(weights(model.module_.head), weights(start.head))
    assert equal(weights(trained.module_), before), "the autoencoder itself stays as it was"
    mean, scale = start.embedding_mean.numpy(), start.embedding_scale.numpy()
    expected = (
        (0.0, 1.0)
        if method == "from_scratch"
        else (trained.embedding_mean_, trained.embedding_scale_)
    )
    assert np.array_equal(mean, np.broadcast_to(expected[0], 3))
    assert np.array_equal(scale, np.broadcast_to(expected[1], 3))


@pytest.mark.parametrize(
    ("method", "factor"), [("from_scratch", 1), ("fine_tune_slow", 0.3), ("fine_tune", 1)]
)
def test_the_encoder_learns_at_its_share_of_the_rate(trained, method, factor):
    X, y = blobs()
    options = {"encoder_lr_factor": 0.3, "learning_rates": (0.01,), "weight_decay": 0.0}
    model = use(trained, method, epochs=1, batch_size=60, **options).fit(X, y)
    start = start_of(model)
    # The first step of Adam moves every weight that has a gradient by the rate itself.
    for part, rate in (("head", 0.01), ("body", 0.01 * factor)):
        pairs = zip(
            getattr(model.module_, part).parameters(),
            getattr(start, part).parameters(),
            strict=True,
        )
        largest = max((a - b).detach().abs().max().item() for a, b in pairs)
        assert largest == pytest.approx(rate, rel=1e-2)


def test_scores_are_a_linear_map_of_standardized_embeddings(trained):
    x = torch.from_numpy(trained.scaling_.apply(blobs()[0]))
    y = torch.arange(60) % 4
    mean, scale = np.float32([1, 2, 3]), np.float32([4, 5, 6])
    network = EncoderWithHead(
        trained.module_, Multiclass(4), mean, scale, FewLabelOptions(), encoder_lr_factor=0.0
    )
    codes = (trained.module_.encode(x) - torch.from_numpy(mean)) / torch.from_numpy(scale)
    scores = codes @ network.head.weight.T + network.head.bias
    torch.testing.assert_close(network(x), scores)
    terms = network.losses(Batch(x, y), "classifier")
    expected = {"cross_entropy": -scores.log_softmax(1)[torch.arange(60), y].mean()}
    torch.testing.assert_close(terms, expected)
    assert not list(network.body.decoder.parameters())
    owned = [p for g in network.optimizers()["classifier"] for p in g["params"]]
    assert [id(p) for p in owned] == [id(p) for p in network.head.parameters()]


def test_fine_tuning_takes_the_rate_that_does_best_on_held_out_folds(trained):
    X, y = blobs()
    rates = (1e-6, 0.03, 1e-7)
    model = use(trained, "fine_tune", learning_rates=rates, epochs=10, weight_decay=0.01).fit(X, y)
    assert model.chosen_ == 0.03
    assert model.cv_scores_.keys() == set(rates)
    assert model.cv_score_ == model.cv_scores_[0.03] == max(model.cv_scores_.values())
    x, scores = torch.from_numpy(trained.scaling_.apply(X)), []
    for a, b in stratified_folds(y, 3, SEED):
        network = start_of(model)
        how = FewLabelOptions(epochs=10).training(0.03, len(a), SEED)
        train(network, Rows(x[a], torch.from_numpy(y[a])), how)
        found = network(x[b])
        scores.append(np.mean(found.argmax(1).numpy() == y[b]))
        np.testing.assert_allclose(model.held_out_scores_[b], found.detach(), atol=1e-6)
    assert model.cv_score_ == pytest.approx(np.mean(scores))
    assert model.summary_[:2] == [
        "Task 'multiclass': the labels are 3 classes.",
        f"Learning rate 0.03: accuracy {np.mean(scores):.3f} on 3 folds of the labelled samples, "
        "the best of 3.",
    ]


@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel"])
@pytest.mark.parametrize("method", ["linear_probe", "fine_tune_slow"])
def test_a_record_rebuilds_the_classifier(trained, task, method):
    X, y = blobs(2)
    y = np.stack([y, np.arange(60) % 2], axis=1) if task == "multilabel" else y
    options = {"learning_rates": (0.01,), "epochs": 1, "head_hidden": 4, "batch_norm": True}
    model = use(trained, method, task=task, **options).fit(X, y)
    record = json.loads(json.dumps(record_classifier(model)))
    back = classifier_of(record, tensors_of_classifier(model), trained)
    assert np.array_equal(back.predict_proba(X), model.predict_proba(X))
    same = ("task_", "method_", "chosen_", "cv_scores_", "cv_score_", "summary_", "temperature_")
    for name in (*same, "accuracy_estimate_"):
        assert getattr(back, name) == getattr(model, name), name
    assert np.array_equal(back.held_out_scores_, model.held_out_scores_)
    assert np.array_equal(back.held_out_labels_, model.held_out_labels_)


@given(
    sizes=st.lists(st.integers(2, 9), min_size=2, max_size=4),
    cv=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_folds_are_a_stratified_partition(sizes, cv, seed):
    y = np.repeat(np.arange(len(sizes)), sizes)
    parts = stratified_folds(y, cv, seed)
    assert len(parts) == min(cv, *sizes)
    assert sorted(np.concatenate([b for _, b in parts])) == list(range(len(y)))
    for a, b in parts:
        assert sorted([*a, *b]) == list(range(len(y)))
        for k, size in enumerate(sizes):
            assert abs(np.sum(y[b] == k) - size / len(parts)) < 1


def test_folds_follow_the_seed():
    y = np.repeat([0, 1], 30)
    first, again, other = (stratified_folds(y, 3, seed)[0][1].tolist() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(("method", "middle"), [("linear_probe", 1.0), ("fine_tune", 0.01)])
def test_a_class_with_one_label_leaves_the_middle_candidate(trained, method, middle):
    X, y = blobs()
    rows = np.array([*np.flatnonzero(y == 0)[:4], *np.flatnonzero(y == 1)[:1]])
    with pytest.warns(CuelloWarning, match="single label"):
        model = use(trained, method, epochs=2).fit(X[rows], y[rows])
    assert (model.chosen_, model.cv_scores_) == (middle, {})
    assert math.isnan(model.cv_score_)
    assert np.isnan(model.held_out_scores_).all()
    assert "no labels were held out" in model.summary_[1]


@given(rows=st.integers(1, 3000), batch=st.integers(1, 400))
def test_auto_is_150_steps_in_20_passes_or_more(rows, batch):
    how = FewLabelOptions(batch_size=batch, weight_decay=0.5).training(0.2, rows, 7)
    assert how.batch_size == min(batch, rows)
    assert (how.optimizer, how.learning_rate, how.weight_decay, how.seed) == ("adamw", 0.2, 0.5, 7)
    steps = math.ceil(rows / how.batch_size)
    assert how.epochs * steps >= 150
    assert how.epochs >= 20
    assert how.epochs == 20 or (how.epochs - 1) * steps < 150


def test_probabilities_do_not_depend_on_the_chunk_and_labels_may_be_texts(trained, monkeypatch):
    X, y = blobs()
    names = np.array(["b", "c", "a"])[y]
    model = use(trained, "linear_probe").fit(X, names)
    whole = model.predict_proba(X)
    np.testing.assert_allclose(whole.sum(axis=1), 1.0)
    monkeypatch.setattr("cuello.estimators.network._INFERENCE_BATCH", 7)
    np.testing.assert_allclose(model.predict_proba(X), whole, atol=1e-6)
    assert model.predict(X).tolist() == np.array(["a", "b", "c"])[whole.argmax(axis=1)].tolist()
    assert (model.predict(X) == names).mean() > 0.7


def test_augmentation_changes_what_is_fine_tuned_and_nothing_frozen():
    rng = np.random.default_rng(0)
    X, y = rng.random((30, 5, 5), dtype=np.float32), np.arange(30) % 2
    autoencoder = clone(SMALL).set_params(batch_size=16).fit(X)
    for method in ("linear_probe", "fine_tune"):
        options = {"learning_rates": (0.01,), "epochs": 2}
        plain = use(autoencoder, method, **options).fit(X, y)
        moved = use(autoencoder, method, augment="shift=0.5", **options).fit(X, y)
        assert equal(weights(plain.module_), weights(moved.module_)) == (method == "linear_probe")


def test_the_seed_decides_the_new_weights(trained):
    X, y = blobs()
    model = use(trained, "from_scratch", learning_rates=(0.01,), epochs=1).fit(X, y)
    first, again, other = (weights(start_of(model, seed)) for seed in (1, 1, 2))
    assert equal(first, again)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    state = torch.get_rng_state()
    start_of(model, 1)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_random_state_decides_what_is_fitted(trained):
    X, y = blobs()
    first, again, other = (
        use(trained, "fine_tune", learning_rates=(0.01,), epochs=1, random_state=state).fit(X, y)
        for state in (1, np.random.RandomState(1), 2)
    )
    assert equal(weights(first.module_), weights(again.module_))
    assert not equal(weights(first.module_), weights(other.module_))


@settings(max_examples=25)
@given(n=st.integers(2, 20), side=st.integers(1, 4), components=st.integers(1, 30))
def test_pca_has_as_many_components_as_the_rows_allow(n, side, components):
    rows = np.random.default_rng(0).normal(size=(n, side, side))
    pca = fit_pca(rows, components, seed=0)
    assert pca.n_components_ == min(components, n, side * side)
    flat = rows.reshape(n, -1)
    np.testing.assert_allclose(pca.mean_, flat.mean(axis=0))
    if components >= min(n, side * side):
        np.testing.assert_allclose(pca.inverse_transform(pca.transform(flat)), flat, atol=1e-9)


def test_pca_baseline_against_an_own_computation():
    X, y = blobs(n=90)
    pca = fit_pca(blobs(n=200, seed=1)[0], 3, seed=0)
    before = copy.deepcopy(pca)
    model, accuracy = fit_pca_logistic(pca, X[:, :, None], y, cv=4, seed=5)
    assert np.array_equal(pca.components_, before.components_)
    codes = before.transform(X)
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    expected, scores = choose_penalty(codes, y, stratified_folds(y, 4, 5))
    assert accuracy == pytest.approx(max(scores.values()))
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(codes), atol=1e-4)


def test_knn_baseline_against_an_own_computation():
    X, y = blobs(n=90)
    model, accuracy = fit_knn_pixels(X.reshape(90, 2, 4), y, cv=4, seed=5)
    scores = [
        KNeighborsClassifier(5).fit(X[a], y[a]).score(X[b], y[b])
        for a, b in stratified_folds(y, 4, 5)
    ]
    assert accuracy == pytest.approx(np.mean(scores))
    new = blobs(seed=9)[0]
    assert np.array_equal(model.predict(new), KNeighborsClassifier(5).fit(X, y).predict(new))


@pytest.mark.parametrize(
    ("labels", "neighbors"), [((2, 2), 2), ((3, 3), 4), ((9, 1), 5), ((1, 2), 3)]
)
@pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")
def test_baselines_work_with_very_few_labels(labels, neighbors):
    y = np.repeat([0, 1], labels)
    X = blobs(n=len(y))[0]
    model, accuracy = fit_knn_pixels(X, y, cv=3, seed=0)
    assert model.n_neighbors == neighbors
    pca = fit_pca(X, 2, seed=0)
    regression, other = fit_pca_logistic(pca, X, y, cv=3, seed=0)
    assert math.isnan(accuracy) == math.isnan(other) == (min(labels) == 1)
    assert regression.predict(X).shape == y.shape
