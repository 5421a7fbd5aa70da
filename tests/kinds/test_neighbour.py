"""The neighbour autoencoder: its curve, its two forces, and maps that keep neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from cuello import Autoencoder, InputError
from cuello.data.edges import edge_histograms
from cuello.data.neighbours import NeighbourGraph
from cuello.kinds import Batch
from cuello.kinds.neighbour import similarity_curve

X, y = load_digits(return_X_y=True)
X = X.astype(np.float32)


def model(**options):
    defaults = {"hidden": (128, 128), "latent_dim": 2, "epochs": 25}
    return Autoencoder("neighbour", **(defaults | options))


@pytest.mark.parametrize(
    ("min_distance", "a", "b"), [(0.0, 1.932, 0.791), (0.1, 1.577, 0.895), (0.5, 0.583, 1.334)]
)
def test_the_curve_is_that_of_umap(min_distance, a, b):
    """Figures of umap-learn's own fit, to three digits."""
    assert similarity_curve(min_distance) == pytest.approx((a, b), abs=2e-3)


def test_a_pull_and_a_push_are_the_cross_entropy_of_every_pair():
    module = model(kind_options={"weight": 2.0}).initialize(X[:50]).module_.double().eval()
    x, near = torch.from_numpy(X[:5]).double(), torch.from_numpy(X[5:10]).double()
    with torch.no_grad():
        term = module.losses(Batch(x, None, near), "autoencoder")["neighbours"]
        z, w = module.encode(x), module.encode(near)
    a, b = similarity_curve(0.1)
    q = 1 / (1 + a * (((z[:, None] - w) ** 2).sum(-1) + 1e-3) ** b)
    others = [-(1 - q[i, j]).log() for i in range(5) for j in range(5) if i != j]
    expected = 2.0 * (-q.diagonal().log().mean() + 5.0 * torch.stack(others).mean())
    torch.testing.assert_close(term, expected)


def test_projections_keep_neighbours_better_than_plain_embeddings_and_of_new_rows():
    plain = Autoencoder("plain", hidden=(128, 128), latent_dim=2, epochs=25).fit(X[:1200])
    near = model().fit(X[:1200])
    scores, trusted = [], []
    for fitted in (plain, near):
        z = fitted.transform(X)
        knn = KNeighborsClassifier(5).fit(z[:1200], y[:1200])
        scores.append(knn.score(z[1200:], y[1200:]))
        trusted.append(trustworthiness(X[1200:], z[1200:], n_neighbors=5))
    assert scores[1] > scores[0] + 0.05
    assert trusted[1] > trusted[0]


@settings(max_examples=30)
@given(n=st.integers(2, 30), k=st.integers(1, 6), seed=st.integers(0, 9), same=st.booleans())
def test_every_row_has_its_nearest_and_pairs_are_mutual(n, k, seed, same):
    rows = torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32))
    if same:
        rows[: n // 2] = rows[0]
    nearby = NeighbourGraph.of(rows, k)
    own = [nearby.indices[a:b].tolist() for a, b in zip(nearby.starts, nearby.starts[1:])]  # noqa: B905
    squares = ((rows[:, None] - rows) ** 2).sum(-1).fill_diagonal_(torch.inf)
    for i, places in enumerate(own):
        assert i not in places
        assert len(places) >= min(k, n - 1)
        assert all(i in own[j] for j in places)
        assert squares[i, places].min() <= squares[i].min() + 1e-5


def test_a_neighbour_is_drawn_as_often_as_its_degree_says():
    rows = torch.tensor([[0.0], [1.0], [1.5], [9.0], [9.5]])
    nearby = NeighbourGraph.of(rows, 2)
    torch.manual_seed(0)
    drawn = nearby.draw(torch.zeros(20_000, dtype=torch.int64))
    first, last = nearby.starts[:2].tolist()
    degrees = nearby.sums[first : last + 1].diff().numpy()
    shares = [(drawn == place).double().mean().item() for place in nearby.indices[first:last]]
    assert shares == pytest.approx((degrees / degrees.sum()).tolist(), abs=0.02)


def test_degrees_of_a_row_sum_to_the_logarithm_of_their_number():
    """Before pairs are joined: the nearest to degree 1, all together log2(k + 1)."""
    from cuello.data.neighbours import _degrees

    apart = np.sort(np.random.default_rng(0).random((40, 15)), axis=1)
    degrees = _degrees(apart)
    np.testing.assert_allclose(degrees.sum(axis=1), 4.0, atol=1e-6)
    assert (degrees[:, 0] == 1.0).all()
    assert (np.diff(degrees, axis=1) <= 0).all()


@pytest.mark.parametrize(
    ("option", "value"),
    [("neighbours", 0), ("negatives", -1.0), ("min_distance", 1.0), ("weight", 0.0)],
)
def test_what_is_not_allowed_is_refused(option, value):
    with pytest.raises(InputError, match=f"{option}={value} must be"):
        model(kind_options={option: value}).initialize(X)


def test_more_neighbours_than_rows_are_all_rows():
    few = model(kind_options={"neighbours": 50}, epochs=2).fit(X[:12])
    assert np.isfinite(few.transform(X[:12])).all()


def test_images_are_compared_by_their_edges_and_other_rows_as_they_are():
    images = X.reshape(-1, 8, 8)[:60]
    scaled = torch.from_numpy(images / 16.0)
    by = {
        name: model(kind_options={"compared_by": name})
        .initialize(images)
        .module_.neighbour_features(scaled)
        for name in ("auto", "values", "edges")
    }
    torch.testing.assert_close(by["auto"], torch.from_numpy(edge_histograms(images)))
    torch.testing.assert_close(by["edges"], by["auto"])
    torch.testing.assert_close(by["values"], scaled.flatten(1))
    table = model().initialize(X[:60]).module_
    torch.testing.assert_close(table.neighbour_features(scaled.flatten(1)), scaled.flatten(1))


def test_ends_of_short_sequences_do_not_count():
    rows = np.random.default_rng(0).normal(size=(9, 4, 2)).astype(np.float32)
    module = model(network="sequence", hidden=(8,)).initialize(rows).module_
    rows[::2, 2:] = np.nan
    compared = module.neighbour_features(torch.from_numpy(rows))
    torch.testing.assert_close(compared, torch.from_numpy(np.nan_to_num(rows).reshape(9, 8)))


def test_tables_have_no_edges():
    with pytest.raises(InputError, match="compared_by='edges' is for images"):
        model(kind_options={"compared_by": "edges"}).initialize(X[:60])
    with pytest.raises(InputError, match="compared_by='pixels'"):
        model(kind_options={"compared_by": "pixels"}).initialize(X[:60])
