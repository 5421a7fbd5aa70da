"""Auto trains no other method where label spreading leaves no room to be better.

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

from cuello.few_label import METHODS, Binary, Multiclass
from cuello.few_label.base import LearningProblem, Solution
from cuello.few_label.methods import auto
from cuello.few_label.methods.label_spreading import LabelSpreading
from cuello.few_label.methods.mean_teacher import MeanTeacherMethod

N = 40


def solution(wrong, task, y, score=None):
    """One whose held-out scores are wrong in the rows named."""
    predicted = np.where(np.isin(np.arange(N), list(wrong)), 1 - y, y)
    scores = np.eye(2, dtype=np.float32)[predicted]
    if task.outputs == 1:
        scores = scores[:, 1:] - scores[:, :1]
    accuracy = 1 - len(wrong) / N if score is None else score
    return Solution(module=nn.Identity(), held_out=scores, cv_scores={1.0: accuracy}, chosen=1.0)


def kept(mean_teacher, spreading, slow, task=None, score=None, room=-1.0):
    """Choose among methods that are wrong on these labels; by default all are compared."""
    task = Multiclass(2) if task is None else task
    y = np.arange(N) % 2
    problem = LearningProblem(
        x=torch.zeros(4 * N, 3),
        y=np.concatenate([y, np.full(3 * N, -1)]),
        labelled=np.arange(4 * N) < N,
        task=task,
        autoencoder=None,
    )
    made = [solution(wrong, task, y, score) for wrong in (mean_teacher, spreading, slow)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(auto, "ROOM", room)
        patched.setattr(MeanTeacherMethod, "fit", lambda *_: made[0])
        patched.setattr(LabelSpreading, "solve", lambda *_: (made[1], None))
        patched.setattr(type(METHODS["fine_tune_slow"]), "fit", lambda *_: made[2])
        return METHODS["auto"].fit(problem)


@pytest.mark.parametrize(("labels", "started"), [(2 * auto.FEW_LABELS - 1, True), (N, False)])
def test_pseudo_labels_are_for_very_few_labels(labels, started):
    y = np.arange(N) % 2
    problem = LearningProblem(
        x=torch.zeros(4 * N, 3),
        y=np.concatenate([y, np.full(3 * N, -1)]),
        labelled=np.arange(4 * N) < labels,
        task=Multiclass(2),
        autoencoder=None,
    )
    made = solution((), Multiclass(2), y)
    made = replace(made, held_out=made.held_out[:labels])
    given = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(auto, "ROOM", -1.0)
        patched.setattr(
            MeanTeacherMethod, "fit", lambda *arguments: given.append(arguments[-1]) or made
        )
        patched.setattr(LabelSpreading, "solve", lambda *_: (made, "pseudo-labels"))
        patched.setattr(type(METHODS["fine_tune_slow"]), "fit", lambda *_: made)
        summary = METHODS["auto"].fit(problem).summary
    assert given == ["pseudo-labels" if started else None]
    assert ("pseudo-labels of spreading" in " ".join(summary)) == started


def tail(gains, losses):
    n = gains + losses
    return sum(math.comb(n, k) for k in range(gains, n + 1)) / 2**n


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5))
def test_a_lead_counts_where_chance_gives_it_less_than_once_in_twenty(only_one, only_other, both):
    places = np.arange(N)
    mean_teacher = {*places[:only_one], *places[30 : 30 + both]}
    spreading = {*places[only_one : only_one + only_other], *places[30 : 30 + both]}
    found = kept(mean_teacher, spreading, range(N))
    clear = only_one > only_other and tail(only_one, only_other) < 0.05
    assert found.method == ("label_spreading" if clear else "mean_teacher")
    assert ("none was better beyond chance" in found.summary[0]) == (not clear)


@pytest.mark.parametrize("task", [Multiclass(2), Binary()])
def test_of_two_clear_leads_the_larger_is_kept(task):
    assert kept(range(20), range(3), range(1), task).method == "fine_tune_slow"
    assert kept(range(20), range(1), range(3), task).method == "label_spreading"


def test_without_folds_the_mean_teacher_is_kept():
    found = kept(range(20), (), (), score=float("nan"))
    assert found.method == "mean_teacher"
    assert "no labels were held out" in found.summary[0]


@pytest.mark.parametrize("wrong", range(6))
@pytest.mark.parametrize("room", [0.05, 1.0])
def test_nothing_else_is_trained_where_it_could_not_be_better(wrong, room):
    best = kept((), range(wrong), range(N), room=room)
    # Right on all labels that spreading missed, and on the others as well.
    could_be_better = tail(wrong, 0) < 0.05 if wrong else False
    stopped = wrong <= room * N and not could_be_better
    assert best.method == ("label_spreading" if stopped else "mean_teacher")
    assert (f"wrong on {wrong} of {N} held-out labels" in best.summary[0]) == stopped


def test_the_room_that_is_left_is_a_share_of_the_labels():
    assert kept((), range(2), range(N), room=auto.ROOM).method == "label_spreading"
    assert kept((), range(3), range(N), room=auto.ROOM).method == "mean_teacher"
