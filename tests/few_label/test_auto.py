"""Auto trains nothing that takes long where quick methods leave no room to be better.

Otherwise it keeps the mean teacher, unless held-out labels show that another method is better.

The oracle is the exact binomial tail, counted out.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cuello.few_label import METHODS, Binary, Multiclass, Regression
from cuello.few_label.base import LearningProblem, Solution
from cuello.few_label.methods import auto
from cuello.few_label.methods.label_spreading import LabelSpreading
from cuello.few_label.methods.mean_teacher import MeanTeacherMethod
from cuello.few_label.options import FewLabelOptions

N = 40
IMAGE, ROW = (3, 3), (3,)
TWO = Multiclass(2)


def solution(wrong, task=TWO, labels=N, score=None):
    """Return one whose held-out scores are wrong on the labels named."""
    y = np.arange(labels) % 2
    predicted = np.where(np.isin(np.arange(labels), list(wrong)), 1 - y, y)
    scores = np.eye(2, dtype=np.float32)[predicted]
    if task.outputs == 1:
        scores = scores[:, 1:] - scores[:, :1]
    accuracy = 1 - len(wrong) / labels if score is None else score
    return Solution(module=nn.Identity(), held_out=scores, cv_scores={1.0: accuracy}, chosen=1.0)


def race(wrong, *, task=TWO, shape=IMAGE, labels=N, n=4 * N, room=-1.0, score=None, **options):
    """Choose among methods that are wrong on these labels; return the choice and what was tried.

    Methods that are not named are wrong on every label.
    """
    y = np.arange(n) % 2
    problem = LearningProblem(
        x=torch.zeros(n, *shape),
        y=y if task.name != "regression" else y.astype(np.float32),
        labelled=np.arange(n) < labels,
        task=task,
        autoencoder=None,
        options=FewLabelOptions(**options),
    )
    tried = {}

    def fit(name):
        def made(*arguments):
            tried[name] = arguments
            missed = wrong.get(name, range(labels))
            return solution(missed, task, labels, (score or {}).get(name))

        return made

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(auto, "ROOM", room)
        for name in METHODS:
            if name not in ("auto", "mean_teacher", "label_spreading"):
                patched.setattr(METHODS[name], "fit", fit(name), raising=False)
        patched.setattr(MeanTeacherMethod, "fit", lambda _, *rest: fit("mean_teacher")(*rest))
        spread = fit("label_spreading")
        patched.setattr(LabelSpreading, "solve", lambda _, p: (spread(p), "pseudo-labels"))
        return METHODS["auto"].fit(problem), tried


@pytest.mark.parametrize(("labels", "started"), [(2 * auto.FEW_LABELS - 1, True), (N, False)])
def test_pseudo_labels_are_for_very_few_labels(labels, started):
    chosen, tried = race({"mean_teacher": ()}, labels=labels)
    assert tried["mean_teacher"][-1] == ("pseudo-labels" if started else None)
    assert ("pseudo-labels of spreading" in " ".join(chosen.summary)) == started


def tail(gains, losses):
    n = gains + losses
    return sum(math.comb(n, k) for k in range(gains, n + 1)) / 2**n


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5))
def test_a_lead_counts_where_chance_gives_it_less_than_once_in_twenty(only_one, only_other, both):
    index = np.arange(N)
    wrong = {
        "mean_teacher": {*index[:only_one], *index[30 : 30 + both]},
        "label_spreading": {*index[only_one : only_one + only_other], *index[30 : 30 + both]},
    }
    chosen, _ = race(wrong)
    clear = only_one > only_other and 2 * tail(only_one, only_other) < 0.05
    assert chosen.method == ("label_spreading" if clear else "mean_teacher")
    assert ("none was better beyond chance" in chosen.summary[0]) == (not clear)


@pytest.mark.parametrize("task", [Multiclass(2), Binary()])
def test_of_two_clear_leads_the_larger_is_kept(task):
    wrong = {"mean_teacher": range(20), "linear_probe": range(5)}
    spreading, tuned = {"label_spreading": range(3)}, {"fine_tune_slow": range(1)}
    assert race(wrong | spreading | tuned, task=task)[0].method == "fine_tune_slow"
    wrong |= {"label_spreading": range(1), "fine_tune_slow": range(3), "linear_probe": range(2)}
    assert race(wrong, task=task)[0].method == "label_spreading"


@pytest.mark.parametrize("best", ["linear_columns", "random_forest", "label_spreading"])
def test_of_tables_the_best_on_held_out_labels_is_kept(best):
    chosen, tried = race({best: range(9), "mean_teacher": range(20)}, shape=ROW)
    assert chosen.method == best
    assert "fine_tune_slow" not in tried
    assert {"linear_columns", "random_forest", "linear_probe"} <= set(tried)


def test_images_are_no_columns():
    _, tried = race({})
    assert not {"linear_columns", "random_forest"} & set(tried)


def test_numbers_are_learned_by_the_best_on_folds():
    score = dict.fromkeys(("linear_probe", "linear_columns", "fine_tune_slow"), 0.2)
    score["random_forest"] = 0.7
    chosen, tried = race({}, task=Regression(), shape=ROW, score=score)
    assert chosen.method == "random_forest"
    assert set(tried) == set(score)


@pytest.mark.parametrize(
    ("shape", "task", "first"),
    [
        (IMAGE, Multiclass(2), "mean_teacher"),
        (ROW, Multiclass(2), "mean_teacher"),
        (ROW, Regression(), "fine_tune_slow"),
    ],
)
def test_without_folds_one_method_is_tried(shape, task, first):
    chosen, tried = race({first: range(20)}, shape=shape, task=task, cv=0)
    assert chosen.method == first
    assert set(tried) == {first}
    assert "no labels were held out" in chosen.summary[0]


@pytest.mark.parametrize("wrong", range(8))
@pytest.mark.parametrize("room", [0.05, 1.0])
def test_nothing_else_is_trained_where_it_could_not_be_better(wrong, room):
    chosen, tried = race({"mean_teacher": (), "label_spreading": range(wrong)}, room=room)
    # Right on all labels that spreading missed, and on the others as well.
    could_be_better = 2 * tail(wrong, 0) < 0.05 if wrong else False
    stopped = wrong <= room * N and not could_be_better
    assert chosen.method == ("label_spreading" if stopped else "mean_teacher")
    assert ("mean_teacher" in tried) == (not stopped)
    reason = f"Without mean_teacher: label_spreading was wrong on {wrong} of {N} held-out labels"
    assert (reason in " ".join(chosen.summary)) == stopped


def test_the_room_that_is_left_is_a_share_of_the_labels():
    for wrong, kept in ((2, "label_spreading"), (3, "mean_teacher")):
        missed = {"mean_teacher": (), "label_spreading": range(wrong)}
        assert race(missed, room=auto.ROOM)[0].method == kept


@pytest.mark.parametrize("wrong", [0, 2])
def test_many_mistakes_without_a_label_are_reason_enough_to_go_on(wrong):
    enough = math.ceil(auto.MISTAKES * (N + 2) / (wrong + 1))
    for others, kept in ((enough - 1, "label_spreading"), (enough, "mean_teacher")):
        missed = {"mean_teacher": range(5), "label_spreading": range(wrong)}
        assert race(missed, n=N + others, room=auto.ROOM)[0].method == kept


@pytest.mark.parametrize("by_probe", [12, 13])
def test_an_encoder_whose_embeddings_tell_little_is_not_fine_tuned(by_probe):
    wrong = {"mean_teacher": range(6), "linear_probe": range(by_probe), "label_spreading": range(7)}
    chosen, tried = race(wrong)
    assert ("fine_tune_slow" in tried) == (by_probe <= 12)
    assert (f"linear_probe was wrong on {by_probe} of" in " ".join(chosen.summary)) == (
        by_probe > 12
    )


def test_few_samples_without_a_label_are_no_reason_for_a_mean_teacher():
    _, tried = race({}, labels=4 * N - 10)
    assert "mean_teacher" not in tried


@pytest.mark.parametrize(
    ("passed", "steps", "trained"), [(10.0, 5000, True), (10.0, 999, False), (60.0, 5000, False)]
)
def test_what_takes_long_is_begun_while_time_is_left(monkeypatch, passed, steps, trained):
    times = iter([0.0, *[passed] * 99])
    monkeypatch.setattr("cuello.clock.now", lambda: next(times))
    monkeypatch.setattr(MeanTeacherMethod, "affordable_steps", lambda *_: steps)
    wrong = {"linear_probe": range(5), "label_spreading": range(5)}
    chosen, tried = race(wrong | {"mean_teacher": ()}, max_time=100.0)
    assert ("mean_teacher" in tried) == trained
    assert chosen.method == ("mean_teacher" if trained else "label_spreading")
    if trained:
        (problem, _) = tried["mean_teacher"]
        assert problem.options.method_options["steps"] <= steps
    else:
        assert "Without mean_teacher: no time was left." in chosen.summary


@pytest.mark.parametrize(("labels", "kept"), [(N, "mean_teacher"), (9, "label_spreading")])
def test_without_time_and_folds_something_is_kept(monkeypatch, labels, kept):
    times = iter([0.0, *[60.0] * 99])
    monkeypatch.setattr("cuello.clock.now", lambda: next(times))
    monkeypatch.setattr(MeanTeacherMethod, "affordable_steps", lambda *_: 0)
    chosen, tried = race({kept: ()}, labels=labels, cv=0, max_time=100.0)
    assert chosen.method == kept
    assert set(tried) == {kept}
    if kept == "mean_teacher":
        assert tried[kept][0].options.method_options["steps"] == 1


def test_its_options_are_those_of_the_methods_it_may_choose():
    for name, method in METHODS.items():
        if method.tried_by_auto:
            assert method.options.items() <= METHODS["auto"].options.items(), name


def test_a_choice_carries_the_solution_it_names():
    wrong = {"mean_teacher": range(2), "label_spreading": range(9)}
    chosen, _ = race(wrong)
    assert replace(chosen, method="", summary=()).cv_score == 1 - 2 / N
