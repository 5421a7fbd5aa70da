"""What students learn before labels, against the formula, and against what labels make of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from cuello import InputError
from cuello.data.augment import Augment
from cuello.few_label import FewLabelOptions, LearningProblem
from cuello.few_label.methods import mean_teacher
from cuello.few_label.methods.mean_teacher import contrast_views, pretrain
from cuello.few_label.students import build_student
from cuello.few_label.tasks import Multiclass


def digits(rows=1797, **own):
    X, y = (values[:rows] for values in load_digits(return_X_y=True))
    x = torch.from_numpy(X.reshape(-1, 8, 8)).float() / 16
    return LearningProblem(
        x=x,
        y=y,
        labelled=np.arange(len(y)) < 100,
        task=Multiclass(10),
        autoencoder=None,
        options=FewLabelOptions(method_options=own),
    )


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(2, 9), seed=st.integers(0, 999))
def test_the_loss_is_the_cross_entropy_of_finding_the_other_half(rows, seed):
    projected = torch.randn(2 * rows, 5, generator=torch.Generator().manual_seed(seed))
    unit = (projected / projected.norm(dim=1, keepdim=True)).double().numpy()
    expected = 0.0
    for i in range(2 * rows):
        partner = (i + rows) % (2 * rows)
        others = [j for j in range(2 * rows) if j != i]
        near = np.exp(unit[others] @ unit[i] / mean_teacher.CONTRAST_TEMPERATURE)
        own = np.exp(unit[partner] @ unit[i] / mean_teacher.CONTRAST_TEMPERATURE)
        expected -= np.log(own / near.sum()) / (2 * rows)
    assert float(mean_teacher._similarity_loss(projected)) == pytest.approx(expected, rel=1e-4)


def test_features_tell_digits_apart_before_any_label():
    problem = digits()
    start, trained = build_student(problem), build_student(problem)
    pretrain(trained, problem, 100, contrast_views((8, 8)))
    head = (start.head.weight, trained.head.weight)
    assert torch.equal(*head), "the head was not trained"
    assert not trained.training

    def accuracy(student):
        with torch.no_grad():
            features = student.eval().body(problem.x).numpy()
        features = (features - features.mean(0)) / (features.std(0) + 1e-6)
        line = LogisticRegression(C=0.01, max_iter=500).fit(features[:100], problem.y[:100])
        return line.score(features[100:], problem.y[100:])

    assert accuracy(trained) > accuracy(start) + 0.02


def test_no_label_is_looked_at_and_the_seed_decides():
    problem = digits(300)
    found = []
    for y, seed in ((problem.y, 0), (problem.y[::-1].copy(), 0), (problem.y, 1)):
        one = replace(problem, y=y, seed=seed)
        student = build_student(problem)
        pretrain(student, one, 5, Augment.mild())
        found.append(student.body[1][0][1].weight.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_folds_and_the_kept_student_start_from_the_same_pretrained_one(monkeypatch):
    made, started = [], []
    real, train = mean_teacher.pretrain, mean_teacher._train_teacher
    monkeypatch.setattr(
        mean_teacher, "pretrain", lambda *given: (made.append(given[2]), real(*given))
    )
    monkeypatch.setattr(
        mean_teacher, "_train_teacher", lambda *given: (started.append(given[-1]), train(*given))[1]
    )
    problem = digits(300, steps=6)
    mean_teacher.MeanTeacherMethod().fit(problem)
    assert made == [3]
    assert len(started) == problem.options.cv + 1
    assert all(one is started[0] for one in started)


@pytest.mark.parametrize(
    ("own", "augment", "contrasts"),
    [
        ({}, "auto", True),
        ({"pretraining": "none"}, "auto", False),
        ({}, None, False),
        ({}, "none", False),
        ({"pretraining": "contrast"}, None, True),
    ],
)
def test_images_that_may_be_changed_are_contrasted(own, augment, contrasts):
    problem = digits(**own)
    problem = replace(problem, options=replace(problem.options, augment=augment))
    assert mean_teacher._is_pretrained(problem) == contrasts


def test_tables_are_not_contrasted():
    images = digits()
    table = replace(images, x=images.x.flatten(1))
    assert not mean_teacher._is_pretrained(table)
    asked = replace(table, options=FewLabelOptions(method_options={"pretraining": "contrast"}))
    with pytest.raises(InputError, match="pretraining='contrast' needs images"):
        mean_teacher.MeanTeacherMethod().check(asked)
    wrong = replace(table, options=FewLabelOptions(method_options={"pretraining": "contras"}))
    with pytest.raises(InputError, match="did you mean 'contrast'"):
        mean_teacher.MeanTeacherMethod().check(wrong)


@given(side=st.integers(1, 300))
def test_views_are_never_mirrored(side):
    views = contrast_views((side + 3, side))
    assert not views.flip
    assert views.elastic == pytest.approx(0.05 * side)
