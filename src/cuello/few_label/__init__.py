"""Many rows, few labels: tasks, modes, and the estimators on top of them."""

from __future__ import annotations

from cuello.few_label import modes as modes
from cuello.few_label.base import MODES, Mode, Options, Problem, Solution, register
from cuello.few_label.estimator import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.task import HEAD_LOSSES, TASKS, Binary, Classes, Number, Several, Task

__all__ = [
    "HEAD_LOSSES",
    "MODES",
    "TASKS",
    "Binary",
    "Classes",
    "FewLabelClassifier",
    "FewLabelRegressor",
    "Mode",
    "Number",
    "Options",
    "Problem",
    "Several",
    "Solution",
    "Task",
    "register",
]
