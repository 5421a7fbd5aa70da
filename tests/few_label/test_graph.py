"""The graph of nearest neighbours and what flows along it, against brute force and a solver."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from cuello import Autoencoder
from cuello.data import neighbours as module
from cuello.data.edges import edge_histograms
from cuello.data.neighbours import nearest_others, neighbours
from cuello.few_label.base import LearningProblem
from cuello.few_label.graph import latest_graph, neighbour_graph, spread_labels
from cuello.few_label.methods.label_spreading import FeatureSpace
from cuello.few_label.tasks import Multiclass


def rows_of(n, width, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 40), queries=st.integers(1, 9), seed=st.integers(0, 9))
def test_neighbours_are_those_of_brute_force(n, queries, seed):
    rows, asked = rows_of(n, 3, seed), rows_of(queries, 3, seed + 100)
    k = min(4, n)
    index, squares = neighbours(asked, rows, k)
    all_squares = ((asked[:, None] - rows[None]) ** 2).sum(-1).numpy()
    np.testing.assert_allclose(squares, np.sort(all_squares, axis=1)[:, :k], atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(all_squares, index, 1), squares, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 40), k=st.integers(0, 6), seed=st.integers(0, 9), offset=st.booleans())
def test_others_are_those_of_brute_force_wherever_samples_lie(n, k, seed, offset):
    rows, k = rows_of(n, 3, seed) + 1000.0 * offset, min(k, n - 1)
    index, squares = nearest_others(rows, k)
    exact = ((rows[:, None].double() - rows[None].double()) ** 2).sum(-1).numpy()
    np.fill_diagonal(exact, np.inf)
    np.testing.assert_allclose(squares, np.sort(exact, axis=1)[:, :k], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(exact, index, 1), squares, atol=1e-5)


def test_of_many_samples_nearly_all_nearest_are_found_wherever_samples_lie(monkeypatch):
    rows = torch.cat([rows_of(700, 5, 0), torch.zeros(50, 5)]) + 1000.0  # and equal ones
    exact, _ = nearest_others(rows, 6)
    monkeypatch.setattr(module, "_MOST_EXACT", 100)
    monkeypatch.setattr(module, "_COMPARED_WITH", 250)
    index, squares = nearest_others(rows, 6)
    shares = [np.isin(found, nearest).mean() for found, nearest in zip(index, exact, strict=True)]
    assert 0.8 < np.mean(shares[:700]) < 1.0
    assert not (index == np.arange(750)[:, None]).any()
    assert all(len(set(found)) == 6 for found in index)
    apart = (rows[:, None].double() - rows[index].double()).square().sum(-1)
    np.testing.assert_allclose(squares, apart, atol=1e-5)
    assert (np.diff(squares, axis=1) >= 0.0).all()
    assert not squares[700:].any()
    everything = nearest_others(rows[:120], 119)[0]
    assert (np.sort(everything, axis=1)[:, -1] >= 118).all()


def test_equal_samples_are_neighbours_of_each_other_and_not_of_themselves():
    index, squares = nearest_others(torch.zeros(30, 2), 5)
    assert not (index == np.arange(30)[:, None]).any()
    assert not squares.any()


def test_blocks_change_nothing(monkeypatch):
    rows = rows_of(50, 3, 0)
    whole = neighbours(rows, rows, 5)
    monkeypatch.setattr(module, "_DISTANCES_AT_ONCE", 101)  # two queries at once
    parts = neighbours(rows, rows, 5)
    assert np.array_equal(whole[0], parts[0])
    np.testing.assert_allclose(whole[1], parts[1], atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 30), k=st.integers(1, 6), seed=st.integers(0, 9), same=st.booleans())
def test_a_graph_is_symmetric_without_loops_and_nothing_grows_along_it(n, k, seed, same):
    rows = rows_of(n, 2, seed)
    if same:  # equal rows are at distance 0 of one another
        rows[: n // 2] = rows[0].clone()
    weights = neighbour_graph(rows, k).toarray()
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights, weights.T)
    assert not weights.diagonal().any()
    assert (np.count_nonzero(weights, axis=1) >= 1).all()
    assert np.linalg.eigvalsh(weights).max() <= 1.0 + 1e-9


@settings(max_examples=20, deadline=None)
@given(n=st.integers(4, 40), alpha=st.sampled_from([0.5, 0.8, 0.99]), seed=st.integers(0, 9))
def test_spreading_solves_the_linear_system(n, alpha, seed):
    graph = neighbour_graph(rows_of(n, 2, seed), 3)
    known = np.zeros((n, 2))
    known[0, 0] = known[1, 0] = known[2, 1] = 1.0
    exact = np.linalg.solve(np.eye(n) - alpha * graph.toarray(), known / known.sum(0))
    exact = np.maximum(exact, 0.0)
    total = exact.sum(axis=1, keepdims=True)
    reached = total[:, 0] > 1e-4  # the solver is exact to 1e-8 of the norm
    shares = spread_labels(graph, known, alpha)
    np.testing.assert_allclose(
        shares[reached], (exact / np.maximum(total, 1e-300))[reached], atol=1e-3
    )
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_nothing_flows_between_parts_that_do_not_hang_together():
    rows = torch.tensor([[0.0], [0.1], [0.3], [100.0], [100.1], [100.3]])
    known = np.zeros((6, 2))
    known[0, 0] = 1.0
    shares = spread_labels(neighbour_graph(rows, 2), known, 0.9)
    np.testing.assert_allclose(shares[:3], [[1.0, 0.0]] * 3)
    np.testing.assert_allclose(shares[3:], 0.5)


def test_every_class_counts_as_much_however_many_labels_it_has():
    rows = torch.tensor([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
    graph = neighbour_graph(rows, 2)
    known = np.zeros((5, 2))
    known[[0, 1], 0] = 1.0
    known[4, 1] = 1.0
    few = np.zeros((5, 2))
    few[0, 0] = few[4, 1] = 1.0
    assert abs(spread_labels(graph, few, 0.9)[2, 0] - 0.5) < 1e-6  # by symmetry
    assert spread_labels(graph, known, 0.9)[2, 0] < 0.75


def problem_of(X, **options):
    autoencoder = Autoencoder(hidden=(8,), latent_dim=2, epochs=1, **options).fit(X)
    return LearningProblem(
        x=torch.from_numpy(autoencoder.scaling_.apply(X)),
        y=np.zeros(len(X), dtype=np.int64),
        labelled=np.ones(len(X), dtype=bool),
        task=Multiclass(3),
        autoencoder=autoencoder,
    )


def test_images_are_compared_by_components_of_their_edges_and_tables_by_their_own():
    images = np.random.default_rng(0).random((60, 8, 8)).astype(np.float32)
    for X, compared, title in (
        (images, edge_histograms, "components of edges"),
        (images.reshape(60, 64), lambda x: x, "principal components"),
    ):
        problem = problem_of(X)
        by_codes, by_components = FeatureSpace.candidates(problem)
        rows = compared(problem.x.numpy())
        expected, found = PCA(50).fit_transform(rows), by_components(problem.x).numpy()
        np.testing.assert_allclose(cdist(found, found), cdist(expected, expected), atol=1e-3)
        assert by_codes(problem.x).shape == (60, 2)
        assert by_components.title == title


def test_a_graph_is_built_once_for_the_same_features(monkeypatch):
    built = []

    def building(features, k):
        built.append(k)
        return neighbour_graph(features, k)

    monkeypatch.setattr("cuello.few_label.graph.neighbour_graph", building)
    first, second = rows_of(30, 2, 100), rows_of(30, 2, 101)
    graphs = [latest_graph(rows.clone(), 3) for rows in (first, second, first, second)]
    assert built == [3, 3]
    assert graphs[0] is graphs[2]
    assert (graphs[1] != neighbour_graph(second, 3)).nnz == 0
    latest_graph(first, 4)
    latest_graph(second, 3)
    assert built == [3, 3, 4]
    latest_graph(first, 3)  # the two latest are kept, so that memory does not grow
    assert built == [3, 3, 4, 3]
