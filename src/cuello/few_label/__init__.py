"""Many samples, few labels: tasks, methods, and the estimators on top of them."""

from __future__ import annotations

from cuello.few_label import methods as methods
from cuello.few_label.base import METHODS, LearningProblem, Method, Solution
from cuello.few_label.estimator import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.options import FewLabelOptions, MethodOptions
from cuello.few_label.tasks import (
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
    "FewLabelClassifier",
    "FewLabelOptions",
    "FewLabelRegressor",
    "LearningProblem",
    "Method",
    "MethodOptions",
    "Multiclass",
    "Multilabel",
    "Regression",
    "Solution",
    "Task",
]
