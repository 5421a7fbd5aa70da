"""Many rows, few labels: tasks, modes, and the estimators on top of them."""

from __future__ import annotations

from cuello.few_label import methods as methods
from cuello.few_label.base import METHODS, Method, Options, Problem, Solution, register
from cuello.few_label.estimator import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.task import (
    HEAD_LOSSES,
    TASKS,
    Binary,
    Multiclass,
    Multilabel,
    Regression,
    Task,
)

__all__ = [
    "HEAD_LOSSES",
    "METHODS",
    "TASKS",
    "Binary",
    "Multiclass",
    "FewLabelClassifier",
    "FewLabelRegressor",
    "Method",
    "Regression",
    "Options",
    "Problem",
    "Multilabel",
    "Solution",
    "Task",
    "register",
]
