"""The ladder network fitted to rows and a few labels."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from cuello import InputError
from cuello.few_label.ladder import fit_ladder


def digits(labels=100, seed=1):
    bunch = load_digits()
    x, y = torch.tensor(bunch.data / 16).float(), torch.tensor(bunch.target)
    known = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))[:labels]
    few = torch.full_like(y, -1)
    few[known] = y[known]
    return x, y, few


def quick(x, y, classes=10, **options):
    return fit_ladder(x, y, classes, **({"hidden": (20, 10), "epochs": 2} | options))


@pytest.mark.slow
def test_unlabelled_rows_make_it_better_than_labels_alone():
    x, y, few = digits()
    known = few >= 0
    alone = MLPClassifier((100, 50), max_iter=2000, random_state=0).fit(x[known], y[known])
    network = fit_ladder(x, few, 10, hidden=(100, 50), epochs=60, batch_size=100)
    with torch.no_grad():
        accuracy = (network(x[~known]).argmax(1) == y[~known]).float().mean().item()
    assert accuracy > alone.score(x[~known], y[~known])


@pytest.mark.parametrize("projected", [False, True])
def test_same_seed_same_scores_another_seed_others(projected):
    x, _, few = digits()
    options = {"projected": projected, "labelled_batch_size": 40}
    first = quick(x, few, seed=1, **options)(x)
    torch.rand(3)  # whatever else draws random numbers in between does not matter
    again, other = (quick(x, few, seed=s, **options)(x) for s in (1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_statistics_are_those_of_all_rows():
    x, _, few = digits()
    network = quick(x, few)
    assert not network.training
    scores = network(x[:7])
    network.train()
    torch.testing.assert_close(network(x)[:7], scores, rtol=1e-3, atol=1e-4)


def test_images_are_rows_too():
    x, _, few = digits()
    assert quick(x.view(-1, 8, 8), few)(x[:5].view(-1, 8, 8)).shape == (5, 10)


def test_doubles_and_short_integers_are_taken():
    x, _, few = digits()
    assert torch.equal(quick(x.double(), few.short())(x), quick(x, few)(x))


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    quick(*digits()[::2])
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"x": torch.zeros(6, 4, dtype=torch.int64)}, "scale the rows"),
        ({"x": torch.full((6, 4), float("nan"))}, "finite"),
        ({"y": torch.zeros(5, dtype=torch.int64)}, r"must be \(6,\)"),
        ({"y": torch.zeros(6)}, "one integer a row"),
        ({"y": torch.full((6,), -1)}, "at least one of them"),
        ({"y": torch.full((6,), 3)}, r"must be in 0\.\.2"),
        ({"classes": 1}, "classes=1 must be at least 2"),
        ({"hidden": ()}, "hidden is empty"),
        ({"batch_size": 1}, "batch_size=1 must be at least 2"),
        ({"labelled_batch_size": 1}, "labelled_batch_size=1 must be at least 2"),
        ({"epochs": 0}, "epochs=0"),
    ],
)
def test_what_does_not_fit_is_refused(changed, said):
    given = {"x": torch.zeros(6, 4), "y": torch.arange(6) % 3, "classes": 3}
    with pytest.raises(InputError, match=said):
        quick(**(given | changed))
