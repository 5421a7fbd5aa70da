"""What "sure" is worth: promised or estimated by held-out labels, or the probability alone."""

from __future__ import annotations

import csv
import functools

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from cuello import Autoencoder, FewLabelClassifier, metrics, open_run
from cuello.data import load
from cuello.run.folder import RunFolder
from cuello.run.models import Models, save_models

KNOWN = 500


def small_config(data):
    """Return the least that the configuration of a run holds."""
    rows = {"train": len(data), "validation": 0, "test": 0}
    described = {"name": "digits", "source": "digits", "shape": [8, 8], "task": "multiclass"}
    named = {"classes": list(data.classes), "properties": [], "rows": rows}
    kept = {"fingerprint": "", "encoding": {}}
    return {
        "status": "finished",
        "created": "",
        "command": None,
        "job": {"data": "digits", "labels": None, "skip_bad": False, "model": {}},
        "data": described | named | kept,
        "notes": [],
        "versions": {},
    }


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def autoencoder(digits):
    options = {"hidden": (64,), "latent_dim": 16, "linear_skip": False}
    return Autoencoder("plain", **options, epochs=40, learning_rate=0.003).fit(digits.X)


@pytest.fixture(scope="module")
def stored(digits, autoencoder, tmp_path_factory):
    """Return a function that fits a classifier on the first labels, once, and opens it as a run."""

    @functools.cache
    def fit(count):
        rows = np.random.default_rng(0).permutation(len(digits))[:count]
        model = FewLabelClassifier(
            FrozenEstimator(autoencoder),
            method="fine_tune_slow",
            learning_rates=(0.03,),
            epochs=60,
            weight_decay=0.01,
            augment=None,
            cv=2,
        ).fit(digits.X[rows], digits.y[rows])
        folder = RunFolder(tmp_path_factory.mktemp("stored") / "run")
        folder.start(small_config(digits), overwrite=True)
        save_models(folder, Models(autoencoder, model))
        return model, folder.path

    def run(count):
        model, path = fit(count)
        return model, open_run(path)

    return run


def classified(run, digits, tmp_path, wanted):
    found = run.classify(digits, tmp_path / "c.csv", min_precision=wanted)
    with (tmp_path / "c.csv").open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    sure = np.array([row["decision"] == "decided" for row in rows])
    assert found.rows == len(digits)
    assert found.undecided == (~sure).sum()
    right = np.array([row["class"] for row in rows]) == np.array(digits.classes)[digits.y]
    return found.basis, sure, right


def test_a_reloaded_classifier_says_the_same(digits, stored):
    model, run = stored(KNOWN)
    back = run.classifier
    assert back.temperature_ == model.temperature_ > 1.0
    assert back.accuracy_estimate_ == model.accuracy_estimate_
    assert isinstance(back.accuracy_estimate_, metrics.Interval)
    assert np.array_equal(back.held_out_labels_, model.held_out_labels_)
    assert np.array_equal(back.predict_proba(digits.X), model.predict_proba(digits.X))


@pytest.mark.parametrize("wanted", [0.9, 0.95])
def test_many_labels_promise_the_accuracy_of_what_is_sure(digits, stored, tmp_path, wanted):
    model, run = stored(KNOWN)
    scores = model.held_out_scores_ / model.temperature_
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = metrics.find_threshold(p, model.held_out_labels_, wanted)
    assert expected.guaranteed
    said, sure, right = classified(run, digits, tmp_path, wanted)
    answered = model.predict_proba(digits.X).max(axis=1) >= expected.probability
    assert (sure == answered).mean() > 0.999  # but for rounding at the threshold itself
    assert f"{100 * wanted:g} % or more are right: promised by {KNOWN} held-out labels" in said
    assert right[sure].mean() >= wanted
    assert 0 < sure.sum() < len(digits)


def test_few_labels_estimate_it(digits, stored, tmp_path):
    _, run = stored(60)
    said, sure, _ = classified(run, digits, tmp_path, 0.95)
    assert "estimated, as 60 held-out labels cannot promise 95 %" in said
    assert sure.any()


def test_answers_that_are_never_right_are_never_sure(digits, stored, tmp_path):
    _, run = stored(60)
    run.classifier.held_out_labels_ = (run.classifier.held_out_scores_.argmax(axis=1) + 1) % 10
    said, sure, _ = classified(run, digits, tmp_path, 0.6)
    assert "not even the surest answers are 60 % right" in said
    assert not sure.any()


def test_where_nothing_was_held_out_the_probability_decides(digits, stored, tmp_path):
    model, run = stored(60)
    run.classifier.held_out_scores_ = np.full_like(run.classifier.held_out_scores_, np.nan)
    said, sure, _ = classified(run, digits, tmp_path, 0.7)
    assert "a probability below 0.7; no labels were held out" in said
    assert np.array_equal(sure, model.predict_proba(digits.X).max(axis=1) >= 0.7)
