"""The ladder network, trained on samples and a few labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from cuello.few_label import FewLabelOptions, LearningProblem, Multiclass
from cuello.few_label.methods.ladder import LADDER_RATE, LadderMethod


def digits(labels=100, seed=1, shape=(64,), problem_seed=0, rows=600, **options):
    data, target = (values[:rows] for values in load_digits(return_X_y=True))
    known = np.random.default_rng(seed).permutation(len(target))[:labels]
    return LearningProblem(
        x=torch.tensor(data / 16).float().view(-1, *shape),
        y=target,
        labelled=np.isin(np.arange(len(target)), known),
        task=Multiclass(10),
        autoencoder=None,
        options=FewLabelOptions(method_options={"hidden": [20, 10], **options}),
        seed=problem_seed,
    )


def quick(problem, epochs=2):
    return LadderMethod()._train(problem, LADDER_RATE, epochs)


@pytest.mark.slow
def test_unlabelled_samples_make_it_better_than_labels_alone():
    problem = digits(hidden=[100, 50], rows=1797)
    known = problem.labelled
    alone = MLPClassifier((100, 50), max_iter=2000, random_state=0)
    alone.fit(problem.x[known], problem.y[known])
    network = quick(problem, epochs=60)
    with torch.no_grad():
        predicted = network(problem.x[~known]).argmax(1).numpy()
    accuracy = (predicted == problem.y[~known]).mean()
    assert accuracy > alone.score(problem.x[~known], problem.y[~known])


@pytest.mark.parametrize("projected", [False, True])
def test_same_seed_same_scores_another_seed_others(projected):
    problem = digits(projected=projected)
    first = quick(problem)(problem.x)
    torch.rand(3)  # whatever else draws random numbers in between does not matter
    assert torch.equal(first, quick(problem)(problem.x))
    other = quick(digits(projected=projected, problem_seed=1))(problem.x)
    assert not torch.allclose(first, other)


def test_statistics_are_those_of_all_samples():
    problem = digits()
    module = quick(problem)
    assert not module.training
    scores = module(problem.x[:7])
    module.train()
    torch.testing.assert_close(module(problem.x)[:7], scores, rtol=1e-3, atol=1e-4)


def test_images_are_samples_too():
    problem = digits(shape=(8, 8))
    assert quick(problem)(problem.x[:5]).shape == (5, 10)


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    quick(digits())
    assert torch.equal(torch.rand(3), expected)
