"""The main job where labels are numbers or several properties, on small real data."""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

import cuello
from cuello import FewLabelClassifier, FewLabelRegressor
from cuello.data import load
from cuello.data.splits import make_split, plain_folds
from cuello.errors import InputError, RunError
from cuello.estimators.baselines import INVERSE_PENALTIES, fit_pca
from cuello.few_label import Multilabel, Regression
from cuello.few_label.targets import read_classes, read_numbers
from cuello.report.content import gather
from cuello.run import Job, resume
from cuello.run.baselines import fit_knn, fit_pca_linear
from cuello.run.few_labels import CV, compared_methods
from cuello.run.predictions import typical_error
from cuello.run.prepare import prepare
from cuello.run.schema import score_names

QUICK = {"kind": "plain", "hidden": (32,), "latent_dim": 6, "epochs": 40}
PROPERTIES = ("even", "at least five", "has a loop")


@pytest.fixture(scope="module", autouse=True)
def _short_fine_tuning():
    # Rates are chosen elsewhere; here it is how results are put together.
    with pytest.MonkeyPatch.context() as patch:
        defaults = FewLabelClassifier.__init__.__kwdefaults__  # the regressor has the same
        patch.setitem(defaults, "epochs", 20)
        patch.setitem(defaults, "learning_rates", (0.01,))
        patch.setitem(defaults, "weight_decay", 0.01)
        patch.setitem(defaults, "augment", None)
        yield


def properties(target):
    return np.stack([target % 2 == 0, target > 4, np.isin(target, (0, 6, 8, 9))], axis=1) * 1


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write scikit-learn's diabetes to a CSV, unscaled."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    path = tmp_path_factory.mktemp("data") / "diabetes.csv"
    lines = [",".join(map(str, [*row, target])) for row, target in zip(X, y, strict=True)]
    path.write_text("\n".join([",".join([*"abcdefghij", "progression"]), *lines]))
    return path


NUMBER = {"label_column": "progression", "task": "regression"}


@pytest.fixture(scope="module")
def numbers(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("numbers") / "run"
    return cuello.fit(table, labels=150, repeats=2, out=out, **NUMBER, **QUICK)


@pytest.fixture(scope="module")
def labels_of_digits(tmp_path_factory):
    """Write properties of every fifth digit."""
    found = properties(load("digits").y)
    lines = [f"{i},{','.join(map(str, found[i]))}" for i in range(0, len(found), 5)]
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text("\n".join([f"row,{','.join(PROPERTIES)}", *lines]))
    return path


@pytest.fixture(scope="module")
def multilabel(labels_of_digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("multilabel") / "run"
    return cuello.fit("digits", labels=labels_of_digits, compare=True, repeats=2, out=out, **QUICK)


def row_of(folder, method):
    return next(r for r in folder.read_json("metrics.json")["few_labels"] if r["method"] == method)


def read(path):
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


# Baselines against scikit-learn


@pytest.mark.parametrize("several_", [False, True])
def test_baselines_are_those_of_scikit_learn(several_):
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(70, 12)), rng.normal(size=(30, 12))
    truth = X @ rng.normal(size=(12, 2)) + 0.3 * rng.normal(size=(70, 2))
    pca = fit_pca(X, 5, seed=0)
    scaler = StandardScaler().fit(pca.transform(X))
    Z, Z_new = scaler.transform(pca.transform(X)), scaler.transform(pca.transform(new))
    if several_:
        y = (truth > 0).astype(float)
        targets = read_classes(X, y, "multilabel")

        def linear(C, Z, y):
            models = [LogisticRegression(C=C, max_iter=2000).fit(Z, column) for column in y.T]
            return lambda some: np.stack([m.decision_function(some) for m in models], axis=1)

        def quality(held):
            return np.mean([((scores > 0) == (y > 0.5)).mean() for scores, y in held])
    else:
        y = truth[:, 0]
        targets = read_numbers(X, y, "regression", "mse")

        def linear(C, Z, y):
            model = Ridge(alpha=1 / C).fit(Z, y)
            return lambda some: model.predict(some)[:, None]

        def quality(held):
            scores, y = (np.concatenate(part) for part in zip(*held, strict=True))
            return r2_score(y, scores[:, 0])

    learned, folds = targets.y, plain_folds(70, 4, seed=3)
    found = {
        C: quality([(linear(C, Z[a], learned[a])(Z[b]), learned[b]) for a, b in folds])
        for C in INVERSE_PENALTIES
    }
    best = max(found, key=found.__getitem__)
    scores, inside = fit_pca_linear(targets, pca, X.reshape(70, 3, 4), cv=4, seed=3)
    assert inside == pytest.approx(found[best], abs=1e-5)
    expected = linear(best, Z, learned)(Z_new)
    np.testing.assert_allclose(scores(new.reshape(30, 3, 4)), expected, atol=1e-3)
    knn, inside = fit_knn(targets, X.reshape(70, 3, 4), cv=4, seed=3)
    model = (KNeighborsClassifier if several_ else KNeighborsRegressor)(5)
    votes = model.fit(X, learned).predict(new)
    if several_:
        np.testing.assert_array_equal(knn(new) > 0, votes == 1)
    else:
        np.testing.assert_allclose(knn(new)[:, 0], votes, atol=1e-5)
    held = [(model.fit(X[a], learned[a]).predict(X[b]), learned[b]) for a, b in folds]
    held = [(np.where(p == 1, 1, -1) if several_ else p[:, None], y) for p, y in held]
    assert inside == pytest.approx(quality(held), abs=1e-5)


def test_baselines_without_folds():
    X, y = np.arange(9.0).reshape(3, 3), np.array([1.0, 2.0, 4.0])
    targets = read_numbers(X, y, "regression", "mse")
    pca = fit_pca(X, 1, seed=0)
    for fit in (fit_knn, functools.partial(fit_pca_linear, pca=pca)):
        with pytest.warns(cuello.CuelloWarning, match="nothing can be held out"):
            scores, inside = fit(targets, rows=X, cv=3, seed=0)
        assert np.isnan(inside)
        assert scores(X).shape == (3, 1)


# Numbers


def test_what_is_measured_on_numbers(numbers, table):
    metrics = numbers.read_json("metrics.json")
    methods = [row["method"] for row in metrics["few_labels"]]
    assert methods == [
        "mean",
        "pca_ridge",
        "gradient_boosting",
        "knn_pixels",
        "linear_columns",
        "random_forest",
        "auto",
    ]
    for method in ("linear_columns", "random_forest", "gradient_boosting"):
        assert row_of(numbers, method)["r2_mean"] > 0.2 > abs(row_of(numbers, "mean")["r2_mean"])
    assert metrics["data"]["task"] == "regression"
    assert metrics["data"]["classes"] == []
    assert "confusion" not in metrics
    for row in metrics["few_labels"]:
        assert (row["labels"], row["repeats"]) == (150, 2)
        assert row["r2_mean"] == pytest.approx(np.mean(row["r2"]))
        assert row["r2_sd"] == pytest.approx(np.std(row["r2"], ddof=1))
        assert row["mae_mean"] > 0
    assert metrics["method"] == "auto"
    quick = [row_of(numbers, name)["cv_r2_mean"] for name in ("linear_columns", "random_forest")]
    assert row_of(numbers, "auto")["cv_r2_mean"] >= max(quick)
    assert row_of(numbers, "pca_ridge")["r2_mean"] > 0.35


def test_neighbours_of_numbers_against_an_own_computation(numbers, table):
    data = load(table, **NUMBER)
    rows = make_split(data)
    run = cuello.open_run(numbers.path)
    X = run.autoencoder.scaling_.apply(data.X)
    found, errors = [], []
    for draw in range(2):
        rng = np.random.default_rng([0, draw])
        known = rows.train[np.sort(rng.choice(len(rows.train), 150, replace=False))]
        predicted = KNeighborsRegressor(5).fit(X[known], data.y[known]).predict(X[rows.test])
        found.append(r2_score(data.y[rows.test], predicted))
        errors.append(mean_absolute_error(data.y[rows.test], predicted))
    row = row_of(numbers, "knn_pixels")
    assert row["r2"] == pytest.approx(found, abs=1e-4)
    assert row["mae_mean"] == pytest.approx(np.mean(errors), rel=1e-4)


def test_the_kept_regressor_is_the_chosen_method_on_the_first_draw(numbers, table, tmp_path):
    run = cuello.open_run(numbers.path)
    metrics = numbers.read_json("metrics.json")
    assert run.task == "regression"
    assert isinstance(run.classifier, FewLabelRegressor)
    assert isinstance(run.classifier.task_, Regression)
    assert run.classifier.method == metrics["method"]
    data = load(table, **NUMBER)
    test = make_split(data).test
    predicted = run.classifier.predict(data.X[test])
    row = row_of(numbers, metrics["method"])
    assert r2_score(data.y[test], predicted) == pytest.approx(row["r2"][0])
    pairs = metrics["scatter"]
    assert (pairs["method"], pairs["name"]) == (metrics["method"], "progression")
    np.testing.assert_allclose(pairs["predicted"][: len(test)], predicted)
    assert pairs["true"] == 2 * data.y[test].tolist()  # the same rows in both repeats


def test_numbers_of_further_rows(numbers, table, tmp_path):
    run = cuello.open_run(numbers.path)
    rows = run.load(table)
    found = run.classify(rows, tmp_path / "v.csv")
    lines = read(tmp_path / "v.csv")
    assert list(lines[0]) == ["row", "value"]
    expected = run.classifier.predict(rows.X)
    np.testing.assert_allclose([float(line["value"]) for line in lines], expected, rtol=5.1e-7)
    run.classifier.task_ = dataclasses.replace(run.classifier.task_, mean=12345678.0)
    run.classify(rows, tmp_path / "v.csv")
    assert all(re.fullmatch(r"1234\d{4}", line["value"]) for line in read(tmp_path / "v.csv"))
    assert (found.rows, found.undecided) == (442, None)
    assert "off by" in found.basis
    assert "150 held-out labels" in found.basis
    with pytest.raises(InputError, match=r"min_precision=0\.9 is for classes, .* gives numbers"):
        run.classify(rows, tmp_path / "w.csv", min_precision=0.9)
    with pytest.raises(RunError, match=r"only known for classes"):
        run.suggest(rows, 5, tmp_path / "s.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"v.csv"}


def test_the_typical_error_is_that_of_held_out_labels(numbers, table):
    run = cuello.open_run(numbers.path)
    model, data = run.classifier, load(table, **NUMBER)
    known = prepare(Job(data=str(table), labels="150", repeats=2, **NUMBER)).plan.final
    off = np.abs(model.task_.link(model.held_out_scores_) - data.y[known])
    found = typical_error(model)
    assert found.endswith(": by 150 held-out labels")
    mean, most = map(float, re.findall(r"by ([\d.]+) o", found))  # with three digits
    assert mean == pytest.approx(off.mean(), rel=6e-3)
    assert 0.9 <= (off <= most * 1.006).mean() < 0.94
    # And it is honest: of rows that nobody held out about nine in ten are closer.
    rest = np.setdiff1d(np.arange(len(data)), known)
    other = np.abs(model.predict(data.X[rest]) - data.y[rest])
    assert other.mean() == pytest.approx(mean, rel=0.25)
    assert (other <= most).mean() > 0.82
    assert numbers.read_json("metrics.json")["summary"][-1] == f"Numbers are {found}."
    model.held_out_scores_ = np.full_like(model.held_out_scores_, np.nan)
    assert typical_error(model) == ""


def test_numbers_are_in_the_embeddings(numbers, table):
    found = pq.read_table(numbers.path / "embeddings.parquet").to_pydict()
    assert found["label"] == load(table, **NUMBER).y.tolist()
    assert sum(found["labelled"]) == 150


def test_the_page_knows_the_numbers_of_test_rows(numbers, table):
    content = gather(numbers)
    data = load(table, **NUMBER)
    y = data.y[make_split(data).test]
    arrays = numbers.read_arrays("examples.npz")
    np.testing.assert_array_equal(content.latent.value, y[arrays["projection_rows"]])
    assert content.latent.label is None
    row = int(arrays["worst_rows"][0])
    assert content.galleries[2].names[0] == f"row {row}, label {y[row]:g}"


def test_a_column_that_is_partly_empty(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 5))
    y = X @ np.arange(5.0)
    cells = [f"{v:.3f}" if i % 2 else "" for i, v in enumerate(y)]
    lines = [",".join([*map(str, x), cell]) for x, cell in zip(X, cells, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,d,e,price", *lines]))
    options = {"label_column": "price", "repeats": 1, "out": tmp_path / "run"}
    folder = cuello.fit(tmp_path / "t.csv", **options, **QUICK | {"latent_dim": 4})
    metrics = folder.read_json("metrics.json")
    assert metrics["evaluated_on"] == "held-out third of the 60 labelled samples"
    assert row_of(folder, "pca_ridge")["labels"] == 40
    assert any("task is 'regression'" in note for note in folder.read_json("config.json")["notes"])
    found = pq.read_table(folder.path / "embeddings.parquet").to_pydict()
    assert [value is None for value in found["label"]] == [cell == "" for cell in cells]
    assert sum(found["labelled"]) == 60


# Properties


def test_what_is_measured_on_properties(multilabel):
    metrics = multilabel.read_json("metrics.json")
    methods = [row["method"] for row in metrics["few_labels"]]
    assert methods == [
        "majority",
        "pca_logistic",
        "knn_pixels",
        "from_scratch",
        "linear_probe",
        "fine_tune_slow",
        "fine_tune",
        "auto",
    ]
    assert metrics["data"]["properties"] == list(PROPERTIES)
    assert metrics["evaluated_on"] == "held-out third of the 360 labelled samples"
    counts = np.array(metrics["properties"]["counts"])
    assert counts.shape == (3, 2, 2)
    assert counts.sum(axis=(1, 2)).tolist() == [240] * 3  # 120 samples, twice
    best = row_of(multilabel, metrics["method"])
    right = (counts[:, 0, 0] + counts[:, 1, 1]).sum() / counts.sum()
    assert right == pytest.approx(best["accuracy_mean"])
    assert all(row["accuracy_mean"] > 0.6 for row in metrics["few_labels"][1:])
    assert best["accuracy_mean"] > 0.7


def test_neighbours_of_properties_against_an_own_computation(multilabel, labels_of_digits):
    data = load("digits")
    X, y = data.X.reshape(len(data), -1) / 255.0, properties(data.y)
    plan = prepare(Job(data="digits", labels=str(labels_of_digits), repeats=2)).plan
    found = []
    for known, held in zip(plan.draws, plan.held_out, strict=True):
        assert not set(known) & set(held)
        found.append((y[held], KNeighborsClassifier(5).fit(X[known], y[known]).predict(X[held])))
    row = row_of(multilabel, "knn_pixels")
    per_property = [[accuracy_score(t[:, k], p[:, k]) for k in range(3)] for t, p in found]
    assert row["accuracy"] == pytest.approx(np.mean(per_property, axis=1))
    assert row["macro_f1_mean"] == pytest.approx(
        np.mean([f1_score(t, p, average="macro") for t, p in found])
    )


def test_probabilities_of_further_rows(multilabel, tmp_path):
    run = cuello.open_run(multilabel.path)
    assert isinstance(run.classifier, FewLabelClassifier)
    assert isinstance(run.classifier.task_, Multilabel)
    assert run.properties == PROPERTIES
    data = run.load("digits")
    found = run.classify(data, tmp_path / "p.csv")
    assert found.summary() == "1,797 samples"
    lines = read(tmp_path / "p.csv")
    assert list(lines[0]) == ["row", *PROPERTIES]
    written = np.array([[float(line[name]) for name in PROPERTIES] for line in lines])
    np.testing.assert_allclose(written, run.classifier.predict_proba(data.X), atol=5e-5)
    assert ((written > 0.5) == properties(load("digits").y)).mean() > 0.7
    with pytest.raises(InputError, match=r"this run gives a probability for each property"):
        run.classify(data, tmp_path / "q.csv", min_precision=0.9)


def test_properties_are_in_the_embeddings(multilabel):
    found = pq.read_table(multilabel.path / "embeddings.parquet").to_pydict()
    y = properties(load("digits").y)
    for k, name in enumerate(PROPERTIES):
        labels = found[f"label {name}"]
        assert labels[::5] == y[::5, k].tolist()
        assert set(labels[1::5]) == {None}


# All of them


@pytest.mark.parametrize("name", ["numbers", "multilabel"])
def test_a_run_that_was_interrupted_ends_alike(name, request, tmp_path):
    folder = request.getfixturevalue(name)
    config = folder.read_json("config.json")
    weights = (folder.path / "model.safetensors").read_bytes()
    (tmp_path / "run").mkdir()
    half = type(folder)(tmp_path / "run")
    half.write_json("config.json", config | {"status": "running"})
    half.write_lines("few_labels.jsonl", folder.read_lines("few_labels.jsonl")[:7])
    again = resume(half.path)
    assert (again.path / "model.safetensors").read_bytes() == weights
    before, after = (f.read_json("metrics.json") for f in (folder, again))
    for key in ("method", "kept_method", "scatter", "properties", "summary"):
        assert before.get(key) == after.get(key)


@pytest.mark.parametrize("name", ["numbers", "multilabel"])
def test_a_run_whose_labels_were_edited_is_damaged(name, request, tmp_path):
    folder = request.getfixturevalue(name)
    config = folder.read_json("config.json")
    (tmp_path / "run").mkdir()
    for file in folder.path.iterdir():
        (tmp_path / "run" / file.name).write_bytes(file.read_bytes())
    for edit in ({"task": "multiclass"}, {"task": "multilabel", "properties": ["even"]}):
        text = json.dumps(config | {"data": config["data"] | edit})
        (tmp_path / "run" / "config.json").write_text(text)
        with pytest.raises(RunError, match="damaged"):
            cuello.open_run(tmp_path / "run")


def test_a_task_has_its_methods_and_scores():
    assert compared_methods("regression")[:2] == ("mean", "pca_ridge")
    assert score_names("regression") == ("r2", "mae")
    assert compared_methods("multiclass")[:2] == ("majority", "pca_logistic")
    assert score_names("multiclass") == ("accuracy", "macro_f1")
    assert CV == 3
