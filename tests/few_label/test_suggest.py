"""Suggestions: which rows they may be, and that their labels are worth more than random ones."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from cuello.errors import InputError
from cuello.few_label.suggest import distance_to_labelled, suggest_samples, uncertainty


def problem(rows, classes=3, latents=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(classes), rows), rng.normal(size=(rows, latents))


@given(
    rows=st.integers(1, 80),
    n=st.integers(1, 100),
    labelled=st.integers(0, 79),
    distinct=st.sampled_from([1, 3, 80]),
    known=st.booleans(),
    seed=st.integers(0, 3),
)
def test_rows_are_different_without_a_label_and_the_same_for_a_seed(
    rows, n, labelled, distinct, known, seed
):
    p, Z = problem(rows)
    Z = Z[np.arange(rows) % distinct]
    mask = np.arange(rows) < min(labelled, rows - 1)
    p = p if known else None
    found = suggest_samples(p, Z, n, labelled=mask, seed=seed)
    assert found.dtype == np.int64
    assert len(found) == min(n, (~mask).sum()) == len(set(found.tolist()))
    assert not mask[found].any()
    np.testing.assert_array_equal(found, suggest_samples(p, Z, n, labelled=mask, seed=seed))


@given(shift=st.floats(-100, 100), factor=st.floats(0.01, 100.0))
def test_units_of_the_embeddings_do_not_matter(shift, factor):
    p, Z = problem(60)
    mask = np.arange(60) < 10
    moved = np.stack([factor * Z[:, 0] + shift, Z[:, 1]], axis=1)
    np.testing.assert_array_equal(
        suggest_samples(p, Z, 5, labelled=mask), suggest_samples(p, moved, 5, labelled=mask)
    )


def test_rows_come_with_the_most_to_teach_first():
    p, Z = problem(300)
    mask = np.arange(300) < 20
    found = suggest_samples(p, Z, 12, labelled=mask)
    weight = uncertainty(p) * distance_to_labelled(Z, Z[mask])
    assert (np.diff(weight[found]) <= 0).all()
    assert weight[found].mean() > 1.5 * weight[~mask].mean()


def test_one_row_of_each_kind_is_suggested_however_many_a_kind_has():
    centres = 10.0 * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    kind = np.repeat(np.arange(4), [200, 40, 40, 40])
    Z = centres[kind] + 0.1 * np.random.default_rng(0).normal(size=(320, 2))
    assert sorted(kind[suggest_samples(None, Z, 4)]) == [0, 1, 2, 3]
    even = np.full((320, 2), 0.5)
    assert sorted(kind[suggest_samples(even, Z, 4)]) == [0, 1, 2, 3]
    # What is labelled already teaches nothing, whether it is among these rows or not.
    assert sorted(kind[suggest_samples(even, Z, 3, labelled=kind == 0)]) == [1, 2, 3]
    assert sorted(kind[suggest_samples(even, Z, 3, labelled_embeddings=centres[:1])]) == [1, 2, 3]


def test_where_embeddings_tell_nothing_the_uncertain_rows_are_suggested():
    p, _ = problem(100)
    found = suggest_samples(p, np.zeros((100, 2)), 10)
    np.testing.assert_array_equal(np.sort(found), np.sort(np.argsort(-uncertainty(p))[:10]))


def test_a_classifier_that_is_sure_of_everything_gets_suggestions():
    _, Z = problem(50)
    assert len(suggest_samples(np.eye(3)[np.arange(50) % 3], Z, 7)) == 7


@given(rows=st.integers(1, 30), labels=st.integers(1, 10))
def test_distance_is_that_of_the_nearest_label_in_deviations(rows, labels):
    rng = np.random.default_rng(rows)
    Z, L = rng.normal(size=(rows, 3)), rng.normal(size=(labels, 3))
    scale = np.where(Z.std(axis=0) > 0, Z.std(axis=0), 1.0)
    expected = [min(np.linalg.norm((z - one) / scale) for one in L) for z in Z]
    np.testing.assert_allclose(distance_to_labelled(Z, L), expected, atol=1e-6)
    assert np.isinf(distance_to_labelled(Z, L[:0])).all()


def test_suggested_labels_are_worth_more_than_random_ones():
    digits = load_digits()
    Z = PCA(16, whiten=True, random_state=0).fit_transform(digits.data)
    train, test = np.arange(1200), np.arange(1200, 1797)

    def accuracy(rows):
        model = LogisticRegression(max_iter=500).fit(Z[rows], digits.target[rows])
        return model.score(Z[test], digits.target[test])

    gains, first_gains = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        classes = [np.flatnonzero(digits.target[train] == c) for c in range(10)]
        known = np.concatenate([rng.permutation(rows)[:3] for rows in classes])
        mask = np.isin(train, known)
        model = LogisticRegression(max_iter=500).fit(Z[known], digits.target[known])
        rows = suggest_samples(
            model.predict_proba(Z[train]), Z[train], 30, labelled=mask, seed=seed
        )
        random = rng.choice(train[~mask], 30, replace=False)
        gains.append(accuracy(np.r_[known, rows]) - accuracy(np.r_[known, random]))
        first_gains.append(
            accuracy(suggest_samples(None, Z[train], 30, seed=seed)) - accuracy(random)
        )
    assert np.mean(gains) > 0.01
    assert np.mean(first_gains) > 0.03


def test_sixty_thousand_rows_take_seconds():
    p, Z = problem(60_000, classes=10, latents=32)
    started = time.process_time()
    suggest_samples(p, Z, 50, labelled=np.arange(60_000) < 300)
    assert time.process_time() - started < 10.0


@pytest.mark.parametrize(
    ("changed", "saying"),
    [
        ({"n": 0}, "n=0 must be 1"),
        ({"embeddings": np.zeros(5)}, "embeddings has shape"),
        ({"embeddings": np.full((5, 2), np.nan)}, "finite"),
        ({"embeddings": np.zeros((4, 2))}, "those of 4 embeddings"),
        ({"probabilities": np.ones((5, 1))}, "2 classes or more"),
        ({"labelled": np.ones(5, dtype=bool)}, "give further samples"),
        ({"labelled": np.ones(4, dtype=bool)}, "each of 5 samples"),
        ({"labelled": np.arange(5)}, "True or False"),
        ({"labelled_embeddings": np.ones((2, 3))}, "2 columns"),
    ],
)
def test_what_does_not_fit_is_refused(changed, saying):
    arguments = {"probabilities": np.full((5, 2), 0.5), "embeddings": np.zeros((5, 2)), "n": 1}
    arguments |= changed
    with pytest.raises(InputError, match=saying):
        suggest_samples(**arguments)
