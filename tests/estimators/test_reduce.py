"""Places of rows in a plane: near ones for rows with near codes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cuello import Autoencoder
from cuello.errors import InputError
from cuello.estimators import projection
from cuello.estimators.baselines import fit_pca
from cuello.metrics import projection_quality


@pytest.fixture
def _whole_maps(monkeypatch):
    monkeypatch.setattr(projection, "STEPS", 600)
    monkeypatch.setattr(projection, "EPOCHS", 15)


def fitted(X, **options):
    return Autoencoder("plain", hidden=(32,), epochs=30, random_state=0, **options).fit(X)


@pytest.mark.usefixtures("_whole_maps")
def test_a_map_keeps_more_than_the_principal_components():
    X, y = load_digits(return_X_y=True)
    model = fitted(X, latent_dim=16)
    codes = model.transform(X)
    ours = projection_quality(codes, model.reduce(X, random_state=0), y)
    theirs = projection_quality(codes, fit_pca(codes, 2, 0).transform(codes), y)
    assert ours.knn_accuracy > theirs.knn_accuracy + 0.2
    assert ours.trustworthiness > theirs.trustworthiness + 0.03


@pytest.mark.usefixtures("_whole_maps")
def test_the_way_back_leads_near_the_code():
    X = load_digits().data
    codes = fitted(X, latent_dim=6).transform(X)
    projector = projection.fit_projector(codes, seed=0)
    back = projector.inverse_transform(projector.transform(codes))
    pca = fit_pca(codes, 2, 0)
    flat = pca.inverse_transform(pca.transform(codes))
    assert np.mean((back - codes) ** 2) < np.mean((flat - codes) ** 2)


def test_the_same_number_gives_the_same_map_and_leaves_the_model():
    X = np.random.default_rng(0).normal(size=(80, 8)).astype(np.float32)
    model = fitted(X, latent_dim=4)
    before = {name: w.clone() for name, w in model.module_.state_dict().items()}
    places = model.reduce(X, random_state=3)
    assert places.shape == (80, 2)
    np.testing.assert_array_equal(places, model.reduce(X, random_state=3))
    assert not np.array_equal(places, model.reduce(X, random_state=4))
    assert all((before[name] == w).all() for name, w in model.module_.state_dict().items())


@pytest.mark.parametrize("latents", [1, 2])
def test_few_latents_are_the_place(latents):
    X = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    model = fitted(X, latent_dim=latents)
    np.testing.assert_array_equal(model.reduce(X[:7]), model.transform(X[:7]))


def test_what_cannot_be_mapped_is_refused():
    X = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    model = fitted(X, latent_dim=4)
    with pytest.raises(InputError, match="49 rows are too few"):
        model.reduce(X[:49])
    with pytest.raises(ValueError, match="5 features"):
        model.reduce(X[:, :5])


@pytest.mark.parametrize("codes", ["equal", "three points", "constant columns", "huge", "tiny"])
def test_any_codes_have_places(codes):
    rng = np.random.default_rng(0)
    found = {
        "equal": np.zeros((60, 5)),
        "three points": np.repeat(rng.normal(size=(3, 5)), 20, axis=0),
        "constant columns": np.c_[rng.normal(size=(60, 2)), np.ones((60, 3))],
        "huge": 1e6 * rng.normal(size=(60, 4)),
        "tiny": 1e-9 * rng.normal(size=(60, 4)),
    }[codes].astype(np.float32)
    projector = projection.fit_projector(found, seed=0)
    places = projector.transform(found)
    assert np.isfinite(places).all()
    assert np.isfinite(projector.inverse_transform(places)).all()
