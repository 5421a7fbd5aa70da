"""Each score against its formula, written down once more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf

from cuello import Autoencoder
from cuello.anomalies import SCORES, EncodedSamples, scores
from cuello.anomalies.scores import NEAR
from cuello.data.edges import edge_histograms
from cuello.errors import Argument


@pytest.fixture(scope="module")
def model():
    X = np.random.default_rng(0).normal(size=(120, 6))
    return Autoencoder("variational", hidden=(8,), latent_dim=3, epochs=3).fit(X)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(1).normal(size=(200, 6)).astype(np.float32)


def score(name, model, rows, others):
    one = SCORES[name]
    return one(EncodedSamples(model, others), one.learn(EncodedSamples(model, rows), seed=0))


def embeddings(model, rows):
    return (model.transform(rows) - model.embedding_mean_) / model.embedding_scale_


def test_reconstruction_is_the_logarithm_of_the_error(model, rows):
    scaled, back = (model.scaling_.apply(part) for part in (rows, model.reconstruct(rows)))
    expected = np.log(((scaled - back) ** 2).mean(axis=1))
    np.testing.assert_allclose(score("reconstruction", model, rows, rows), expected, rtol=1e-4)


def test_mahalanobis_is_by_the_shrunk_covariance_of_embeddings(model, rows):
    reference, others = embeddings(model, rows[:150]), embeddings(model, rows[150:])
    covariance, _ = ledoit_wolf(reference.astype(np.float64))
    off = others - reference.mean(axis=0)
    expected = np.log(np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off))
    found = score("mahalanobis", model, rows[:150], rows[150:])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_neighbours_is_the_distance_to_the_nearest_twentieth(model, rows):
    distances = np.sort(cdist(embeddings(model, rows[150:]), embeddings(model, rows[:150])), axis=1)
    expected = np.log(distances[:, round(NEAR * 150) - 1])
    found = score("neighbours", model, rows[:150], rows[150:])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "near"), [("samples", round(NEAR * 150)), ("nearest", 5)])
def test_rows_are_compared_as_they_are(model, rows, name, near):
    scaled = model.scaling_.apply(rows)
    expected = np.log(np.sort(cdist(scaled[150:], scaled[:150]), axis=1)[:, near - 1])
    found = score(name, model, rows[:150], rows[150:])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_edges_of_images_are_compared_by_hellingers_distance():
    images = np.random.default_rng(2).random((60, 9, 9))
    model = Autoencoder(hidden=(8,), latent_dim=3, epochs=1).fit(images)
    edges = edge_histograms(images)
    expected = np.log(np.sort(cdist(edges[40:], edges[:40]), axis=1)[:, 4])
    found = score("edges", model, images[:40], images[40:])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_only_images_have_edges():
    edges = SCORES["edges"]
    assert edges.find_obstacle(Autoencoder(), (4,)) == "needs images"
    assert edges.find_obstacle(Autoencoder(network="sequence"), (4, 2)) == "needs images"
    assert not edges.find_obstacle(Autoencoder(network="conv"), (8, 8))


def test_likelihood_is_minus_that_of_the_model(model, rows):
    expected = -model.log_likelihood(rows, samples=64)
    np.testing.assert_allclose(score("likelihood", model, rows, rows), expected)


def test_of_long_rows_fewer_are_compared_with(monkeypatch):
    monkeypatch.setattr(scores, "REFERENCE_VALUES", 100)
    many = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    samples = EncodedSamples(None, many)
    vars(samples)["embeddings"] = many
    kept = SCORES["neighbours"].learn(samples, seed=3)["reference"]
    assert len(np.unique(kept, axis=0)) == 50
    assert (kept[:, None] == many[None]).all(axis=2).any(axis=1).all()


def test_a_kind_without_likelihood_is_named():
    plain = Autoencoder("plain", latent_dim=2)
    assert Argument("kind", "plain") in SCORES["likelihood"].find_obstacle(plain, (8, 8))
    others = [score for name, score in SCORES.items() if name != "likelihood"]
    assert not any(score.find_obstacle(plain, (8, 8)) for score in others)


def test_every_score_is_described_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "anomalies.md").read_text(encoding="utf-8")
    for name in SCORES:
        assert f"| `{name}` | " in page
