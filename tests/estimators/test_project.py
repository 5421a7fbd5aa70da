"""Two-dimensional coordinates of samples: near ones for near embeddings."""

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
def _longer_trainings(monkeypatch):
    monkeypatch.setattr(projection, "STEPS", 250)
    monkeypatch.setattr(projection, "EPOCHS", 8)


def fitted(X, **options):
    return Autoencoder("plain", hidden=(32,), epochs=20, random_state=0, **options).fit(X)


@pytest.mark.usefixtures("_longer_trainings")
def test_a_projection_keeps_more_than_the_principal_components():
    X, y = (values[:500] for values in load_digits(return_X_y=True))
    model = fitted(X, latent_dim=16)
    embeddings = model.transform(X)
    ours = projection_quality(embeddings, model.project(X, random_state=0), y)
    theirs = projection_quality(embeddings, fit_pca(embeddings, 2, 0).transform(embeddings), y)
    assert ours.knn_accuracy > theirs.knn_accuracy + 0.2
    assert ours.trustworthiness > theirs.trustworthiness + 0.03


@pytest.mark.usefixtures("_longer_trainings")
def test_the_inverse_leads_near_the_embedding():
    X = load_digits().data[:500]
    embeddings = fitted(X, latent_dim=6).transform(X)
    projector = projection.fit_projector(Autoencoder, embeddings, seed=0)
    back = projector.inverse_transform(projector.transform(embeddings))
    pca = fit_pca(embeddings, 2, 0)
    flat = pca.inverse_transform(pca.transform(embeddings))
    assert np.mean((back - embeddings) ** 2) < np.mean((flat - embeddings) ** 2)


def test_the_same_number_gives_the_same_projection_and_leaves_the_model():
    X = np.random.default_rng(0).normal(size=(80, 8)).astype(np.float32)
    model = fitted(X, latent_dim=4)
    before = {name: w.clone() for name, w in model.module_.state_dict().items()}
    coordinates = model.project(X, random_state=3)
    assert coordinates.shape == (80, 2)
    np.testing.assert_array_equal(coordinates, model.project(X, random_state=3))
    assert not np.array_equal(coordinates, model.project(X, random_state=4))
    assert all((before[name] == w).all() for name, w in model.module_.state_dict().items())


@pytest.mark.parametrize("latents", [1, 2])
def test_few_latents_are_the_coordinates(latents):
    X = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    model = fitted(X, latent_dim=latents)
    np.testing.assert_array_equal(model.project(X[:7]), model.transform(X[:7]))


def test_what_cannot_be_projected_is_refused():
    X = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    model = fitted(X, latent_dim=4)
    with pytest.raises(InputError, match="49 samples are too few"):
        model.project(X[:49])
    with pytest.raises(ValueError, match="5 features"):
        model.project(X[:, :5])


@pytest.mark.parametrize(
    "embeddings", ["equal", "three points", "constant columns", "huge", "tiny"]
)
def test_any_embeddings_have_coordinates(embeddings):
    rng = np.random.default_rng(0)
    found = {
        "equal": np.zeros((60, 5)),
        "three points": np.repeat(rng.normal(size=(3, 5)), 20, axis=0),
        "constant columns": np.c_[rng.normal(size=(60, 2)), np.ones((60, 3))],
        "huge": 1e6 * rng.normal(size=(60, 4)),
        "tiny": 1e-9 * rng.normal(size=(60, 4)),
    }[embeddings].astype(np.float32)
    projector = projection.fit_projector(Autoencoder, found, seed=0)
    coordinates = projector.transform(found)
    assert np.isfinite(coordinates).all()
    assert np.isfinite(projector.inverse_transform(coordinates)).all()
